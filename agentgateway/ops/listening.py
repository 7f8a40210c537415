"""Listening on endpoint strings; what is wrong with one that its form does not show is told in a line."""

from typing import Any

from OpenSSL.crypto import Error as PEMError
from OpenSSL.SSL import Error as TLSError
from twisted.application.service import IService
from twisted.application.strports import service

from agentgateway.errors import GatewayError
from agentgateway.wire.endpoints import with_backlog


class ListenError(GatewayError):
    """An endpoint that cannot be had; the message says which, and why."""


def listening(endpoint: str, factory: Any, reactor: Any) -> IService:
    """A service that listens for `factory` once it is started. Raises ListenError."""
    try:
        return service(with_backlog(endpoint), factory, reactor=reactor)
    except LookupError:
        raise ListenError(
            f"cannot listen on {endpoint}: systemd has passed no such socket (is its .socket unit started?)"
        )
    except OSError as error:
        raise ListenError(f"cannot listen on {endpoint}: {error.filename}: {error.strerror}")
    except (PEMError, TLSError, ValueError):
        raise ListenError(f"cannot listen on {endpoint}: no certificate and key in PEM there")
