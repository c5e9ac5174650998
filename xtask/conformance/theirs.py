"""ZenML's own server, unmodified."""

import json
import os
from typing import Dict, List, Optional

from server import ADMIN, NOWHERE, PASSWORD, Server

# Tokens end as ours do. Unless it is told so, ZenML's server lets them live for ever.
OUR_LIFETIMES = {
    "ZENML_SERVER_JWT_TOKEN_EXPIRE_MINUTES": "60",
    "ZENML_SERVER_DEVICE_EXPIRATION_MINUTES": str(24 * 60),
    "ZENML_SERVER_TRUSTED_DEVICE_EXPIRATION_MINUTES": str(30 * 24 * 60),
}


class Theirs(Server):
    """ZenML's server of the release in a virtual environment, with an administrator like ours."""

    # It imports half of the Python world first, and then makes some hundred tables.
    START_TIMEOUT = 180

    def __init__(self, venv: str, settings: Optional[Dict[str, str]] = None) -> None:
        self.venv = venv
        self.settings = settings or {}
        super().__init__()

    def command(self) -> List[str]:
        return [
            os.path.join(self.venv, "bin", "python"),
            *("-m", "uvicorn", "zenml.zen_server.zen_server_api:app"),
            *("--host", "127.0.0.1", "--port", str(self.port)),
        ]

    def environment(self) -> Dict[str, str]:
        # Nothing of this machine's: neither its settings nor its proxies, and no wish to count its users.
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": self.folder,
            "ZENML_CONFIG_PATH": os.path.join(self.folder, "config"),
            "ZENML_SERVER": "true",
            "ZENML_STORE_TYPE": "sql",
            "ZENML_STORE_URL": f"sqlite:///{os.path.join(self.folder, 'zenml.db')}",
            "ZENML_ANALYTICS_OPT_IN": "false",
            "ZENML_SERVER_DEVICE_AUTH_POLLING_INTERVAL": "1",
            "ZENML_LOGGING_COLORS_DISABLED": "true",
            **NOWHERE,
            **self.settings,
        }

    def prepare(self) -> None:
        body = {"server_name": "default", "admin_username": ADMIN, "admin_password": PASSWORD}
        headers = {"Content-Type": "application/json"}
        answer = self.request("PUT", "/api/v1/activate", json.dumps(body), headers)
        assert answer.status == 200, answer.text()
