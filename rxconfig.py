"""How Reflex builds and serves the app. Who we are and where we listen stands in tp_inbox.settings."""

import reflex as rx

from tp_inbox.settings import settings
from tp_inbox.web.addresses import allowed_origins

config = rx.Config(
    app_name="tp_inbox",
    telemetry_enabled=False,
    backend_host=settings().host,
    cors_allowed_origins=allowed_origins(settings()),
    state_manager_mode=rx.constants.StateManagerMode.MEMORY,
    redis_token_expiration=settings().session_absolute_seconds,
    react_strict_mode=False,
    show_built_with_reflex=False,
    disable_plugins=[rx.plugins.SitemapPlugin],
)
