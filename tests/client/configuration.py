"""The files and variables of a test of Config: a home directory, a git repository, a working directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flyteapps.config import Config
from flyteapps.errors import ConfigError


class Files:
    """A home, and a git repository with the working directory two folders down in it."""

    def __init__(self, root: Path) -> None:
        self.home, self.repository = root / "home", root / "repository"
        self.directory = self.repository / "a" / "b"
        for folder in (self.home, self.directory, self.repository / ".git"):
            folder.mkdir(parents=True)
        (self.repository / ".git" / "HEAD").write_text("ref: refs/heads/main\n")

    def write(self, path: Path, content: str | bytes) -> Path:
        """Write a file, and the folders of its path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def load(self, content: str | bytes | None = None, path: Any = None, **environ: str) -> Config:
        """Load ./config.yaml, with that content, or the named file."""
        if content is not None:
            self.write(self.directory / "config.yaml", content)
        return Config.load(path, {"HOME": str(self.home), **environ}, self.directory)

    def refused(self, content: str | bytes | None = None, path: Any = None, **environ: str) -> str:
        """Return the message of the ConfigError, with FILE for the path of ./config.yaml."""
        with pytest.raises(ConfigError) as refused:
            self.load(content, path, **environ)
        return str(refused.value).replace(str(self.directory / "config.yaml"), "FILE")
