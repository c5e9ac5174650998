"""Our server."""

from typing import Dict, List

from server import PASSWORD, Server, without_zenml


class Ours(Server):
    """Our server, with these arguments."""

    def __init__(self, binary: str, *arguments: str) -> None:
        self.binary = binary
        self.arguments = arguments
        super().__init__()

    def command(self) -> List[str]:
        return [self.binary, "--data-dir", self.folder, "--bind", f"127.0.0.1:{self.port}", *self.arguments]

    def environment(self) -> Dict[str, str]:
        return {**without_zenml(), "ZENML_AUTH_ADMIN_PASSWORD": PASSWORD}
