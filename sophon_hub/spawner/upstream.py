# ruff: noqa: D102
"""The parts of JupyterHub's and dockerspawner's classes that ours build on.

Upstream has no types. What is written here is for the type checker only: at run time the
mixins inherit from nothing but ``HasTraits`` and find the real methods behind them.
"""

from typing import TYPE_CHECKING, Any

from traitlets import HasTraits

if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncIterator

    class AnySpawner(HasTraits):
        """jupyterhub.spawner.Spawner."""

        log: logging.Logger
        hub: Any
        user: Any
        server: Any
        orm_spawner: Any
        name: str
        user_options: dict[str, Any]
        args: list[str]
        cmd: list[str] | None
        ip: str
        port: int
        default_url: str
        notebook_dir: str
        env_keep: list[str]
        start_timeout: int
        internal_ssl: bool
        disable_user_config: bool
        oauth_client_id: str
        api_token: str
        mem_limit: Any
        cpu_limit: Any

        @property
        def _log_name(self) -> str: ...
        async def start(self) -> Any: ...
        async def stop(self, now: bool = False) -> None: ...
        async def poll(self) -> Any: ...
        async def rename(self, old_name: str, new_name: str) -> None: ...
        def progress(self) -> AsyncIterator[dict[str, Any]]: ...
        def delete_forever(self) -> Any: ...
        def run_pre_spawn_hook(self) -> Any: ...
        def run_post_stop_hook(self) -> Any: ...
        async def get_options_form(self) -> Any: ...
        async def _run_apply_user_options(self, user_options: dict[str, Any]) -> None: ...
        def load_state(self, state: dict[str, Any]) -> None: ...
        def get_state(self) -> dict[str, Any]: ...
        def clear_state(self) -> None: ...
        def get_env(self) -> dict[str, str]: ...

    class ContainerSpawner(AnySpawner):
        """dockerspawner.DockerSpawner."""

        client: Any
        image: str
        object_id: str
        object_name: str
        remove: bool
        use_internal_ip: bool
        network_name: str
        mounts: list[dict[str, Any]]
        extra_create_kwargs: Any
        extra_host_config: Any

        @property
        def mount_binds(self) -> list[dict[str, Any]]: ...
        async def docker(self, method: str, *args: Any, **kwargs: Any) -> Any: ...
        async def get_object(self) -> dict[str, Any] | None: ...
        async def get_command(self) -> list[str]: ...
        async def create_object(self) -> dict[str, Any]: ...
        def get_network_ip(self, network_settings: dict[str, Any]) -> str: ...

    class LocalSpawner(AnySpawner):
        """jupyterhub.spawner.SimpleLocalProcessSpawner."""

        proc: Any
        pid: int
        home_dir: str
        interrupt_timeout: int
        term_timeout: int

else:
    AnySpawner = HasTraits
    ContainerSpawner = LocalSpawner = object
