"""What a worker answers the others of its gateway: for itself alone, and besides what is between them."""

from agentgateway.domain.lease import Words
from agentgateway.domain.untold import agent_part, budget_part
from agentgateway.web.management import logs
from agentgateway.web.management.bodies import parse
from agentgateway.web.management.endpoints import Answer, Asked, Endpoints, json_answer
from agentgateway.web.management.formats import CONTENT_TYPES
from agentgateway.web.management.questions import question


class AloneEndpoints(Endpoints):
    """One method an endpoint, for one worker."""

    agent_view = staticmethod(agent_part)
    budget_view = staticmethod(budget_part)

    async def tail(self, asked: Asked) -> Answer:
        """Of a page of the log only what is in memory: others ask the store themselves."""
        wanted = question(asked.args)
        lines = await logs.recent(self._live, wanted.query, self._rest)
        return Answer(await logs.written(lines, wanted.format, self._rest), CONTENT_TYPES[wanted.format])

    async def words(self, asked: Asked) -> Answer:
        """What another worker could not tell the shared store."""
        self._live.heard(parse(asked.body, asked.content_type, Words).words)
        return json_answer({})
