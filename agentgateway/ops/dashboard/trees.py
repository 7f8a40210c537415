"""Which path of the dashboard is which page: for people, and for the other workers of this gateway."""

from twisted.web.resource import Resource

from agentgateway.ops.dashboard.answers import Answer, Asset
from agentgateway.ops.dashboard.merged import MergedPages
from agentgateway.ops.dashboard.relayed import Relay
from agentgateway.ops.dashboard.resources import Gate, Pages


def tree(pages: Pages, gate: Gate, assets: dict[str, Asset], merged: MergedPages | None = None) -> Resource:
    """All of it; `assets` by path, of which `index.html` is the page itself; `merged` where there are more workers."""
    root = Resource()
    root.putChild(b"", assets["index.html"])
    folders = {"": root}
    for path, asset in assets.items():
        folder, _, name = path.rpartition("/")
        if folder not in folders:
            folders[folder] = Resource()
            root.putChild(folder.encode(), folders[folder])
        folders[folder].putChild(name.encode(), asset)
    _put_pages(root, merged or pages)
    root.putChild(b"session", Answer(b"GET", pages.session))
    root.putChild(b"login", Answer(b"POST", pages.log_in))
    root.putChild(b"logout", Answer(b"POST", pages.log_out))
    root.putChild(b"ws", gate)
    return root


def tree_for_siblings(pages: Pages, relay: Relay) -> Resource:
    """What one worker says of itself to the others."""
    root = Resource()
    _put_pages(root, pages)
    root.putChild(b"board", relay)
    return root


def _put_pages(root: Resource, pages: Pages | MergedPages) -> None:
    data = Resource()
    for name, answer in (("agents", pages.agent), ("history", pages.history), ("calls", pages.calls)):
        data.putChild(name.encode(), Answer(b"GET", answer))
    data.putChild(b"streams", Answer(b"GET", pages.streams))
    root.putChild(b"data", data)
    root.putChild(b"act", Answer(b"POST", pages.act))
