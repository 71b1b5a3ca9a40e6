"""A server of the product in the process of the test, with the options of the product."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from asgiref.sync import async_to_sync


def serve(application: Any, then: Callable[[int], Awaitable[None]], **options: Any) -> None:
    """Run `then` with the port of the server. `options`: further ones of uvicorn."""

    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            # uvicorn's own log configuration would hide its log from caplog.
            config = uvicorn.Config(application, lifespan="off", log_config=None, **options)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                await then(listener.getsockname()[1])
            finally:
                server.should_exit = True
                await serving

    async_to_sync(run)()
