"""Sphinx reads this: Markdown pages, one theme, nothing else. `make docs` builds them."""

import agentgateway

project = "agentgateway"
release = version = agentgateway.__version__
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"agentgateway {release}"
exclude_patterns = ["_build"]
nitpicky = True
