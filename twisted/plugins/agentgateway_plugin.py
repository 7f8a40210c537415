"""Makes `twistd agentgateway` and `twist agentgateway` known to Twisted."""

from twisted.application.service import ServiceMaker

agentgateway = ServiceMaker(
    "agentgateway",
    "agentgateway.tap",
    "A reverse proxy for AI agents: meters every token, enforces budgets and limits.",
    "agentgateway",
)
