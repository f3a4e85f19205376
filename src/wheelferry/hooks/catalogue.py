"""Which CI system has what: where a hook goes there, and how it is told the checkout.

Pure.  `docs/hooks.md` says where each of these facts is from.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

PRE_JOB: Final = "pre-job.sh"
POST_JOB: Final = "post-job.sh"
SCRIPTS: Final = (PRE_JOB, POST_JOB)
"""What all CI systems share.  GitHub's runner takes no hook without `.sh`."""

ENV_FILE: Final = ".env"
"""Of GitHub's runner: lines `NAME=value`, read when it starts."""


class Ci(StrEnum):
    """A CI system, or any other that can run a command."""

    GITLAB = "gitlab"
    GITHUB = "github"
    BUILDKITE = "buildkite"
    JENKINS = "jenkins"
    GITEA = "gitea"
    WOODPECKER = "woodpecker"
    GENERIC = "generic"


class Snippet(NamedTuple):
    """What goes into a file of a CI system.

    Attributes:
        template: Name of its file in `snippets/`.
        where: Where it goes, in words.
        target: The file that `hooks install` writes it to, below the directory that is
            given for that; empty if it is for a person to paste.
    """

    template: str
    where: str
    target: str = ""


SNIPPETS: Final[Mapping[Ci, tuple[Snippet, ...]]] = MappingProxyType(
    {
        Ci.GITLAB: (
            Snippet(
                "gitlab-runner.toml",
                "config.toml of GitLab Runner, executors shell and custom",
            ),
            Snippet(
                "gitlab-docker.toml",
                "config.toml of GitLab Runner, executor docker; needs daemon.socket",
            ),
            Snippet(
                "gitlab-ci.yml",
                ".gitlab-ci.yml, where the runner's configuration is not yours",
            ),
        ),
        Ci.GITHUB: (
            Snippet(
                "github.env",
                "the file .env in the directory of the runner, which reads it when it starts",
                ENV_FILE,
            ),
            Snippet("github-step.yml", "a workflow, after its checkout"),
        ),
        Ci.BUILDKITE: (
            Snippet(
                "buildkite-post-checkout.sh",
                "the agent's hooks-path, as post-checkout, executable",
                "post-checkout",
            ),
            Snippet(
                "buildkite-pre-exit.sh",
                "the agent's hooks-path, as pre-exit, executable",
                "pre-exit",
            ),
        ),
        Ci.JENKINS: (
            Snippet("Jenkinsfile", "a Jenkinsfile, or a step of a shared library"),
        ),
        Ci.GITEA: (Snippet("gitea-step.yml", "a workflow, after its checkout"),),
        Ci.WOODPECKER: (
            Snippet("woodpecker.yaml", ".woodpecker.yaml, for the local backend"),
        ),
        Ci.GENERIC: (Snippet("generic.sh", "wherever commands can be run"),),
    }
)
"""By CI system."""
