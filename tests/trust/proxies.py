"""Other proxies from Debian, in front of a provider that hears every byte."""

import os
import shutil
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Protocol, ServerFactory
from twisted.trial.unittest import SkipTest

from tests.harness import listen, until
from tests.peers import closed_port, response
from tests.reality.processes import listens, spawn

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://127.0.0.1:{provider}; proxy_http_version 1.1; proxy_request_buffering off; }} }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
listen all
  bind 127.0.0.1:{port}
  server one 127.0.0.1:{provider}
"""
CONFIGS = {"nginx": NGINX, "haproxy": HAPROXY}
COMMANDS = {"nginx": ("-p", "{folder}", "-e", "{folder}/error.log", "-c"), "haproxy": ("-db", "-f")}


class Ear(Protocol):
    """A provider's connection that keeps what it hears, and says yes to all of it."""

    factory: "Ears"

    def dataReceived(self, data: bytes) -> None:
        """Something."""
        self.factory.heard += data
        self.transport.write(response(b"{}"))


class Ears(ServerFactory):
    """A provider that understands nothing."""

    protocol = Ear
    noisy = False

    def __init__(self) -> None:
        self.heard = b""


async def proxy(testcase: Any, name: str) -> tuple[int, Ears]:
    """nginx or haproxy: the port where it listens, and the provider behind it; the test is skipped where it is not here."""
    binary = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if binary is None:
        raise SkipTest(f"there is no {name} on this machine (Debian: {name})")
    ears = Ears()
    folder = os.path.abspath(testcase.mktemp())
    os.makedirs(folder)
    port, path = closed_port(), Path(folder, "config")
    path.write_text(CONFIGS[name].format(folder=folder, port=port, provider=await listen(testcase, ears)))
    process = spawn(testcase, binary, *(word.format(folder=folder) for word in COMMANDS[name]), str(path))
    await until(lambda: process.over or listens(port), 10)
    testcase.assertFalse(process.over, process.err)
    return port, ears
