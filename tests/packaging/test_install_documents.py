"""Every command and every file in the documents about installing is run, or read by who would read it.

What needs an engine, a cluster or an init system is given to its own program for a check of the syntax
(`--help` behind the arguments: an unknown flag is still an error), and what it refers to must exist. Docker's
command line is read here, since few machines have it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import exporter
from exporter.configfile import parse_config
from tests.packaging.chart import Manifest, template
from tests.packaging.cluster import COMMAND
from tests.packaging.documents import INSTALL, README, Block, blocks
from tests.packaging.workshop import ROOT, program

SHELL = blocks("sh")
YAML = blocks("yaml")
DOCKER = {
    "build": ({"--tag", "--build-arg"}, set[str]()),
    "run": (
        {"--publish", "--env", "--volume", "--name", "--restart", "--cap-drop", "--security-opt"},
        {"--rm", "--detach", "--read-only"},
    ),
    "exec": (set(), set()),
    "kill": ({"--signal"}, set()),
    "push": (set(), set()),
}
"""The options of docker that the documents use: those with a value, and those without."""
TAG = rf"(registry\.example\.com/)?workspace-exporter:{re.escape(exporter.__version__)}"
SHAPES = {
    "--tag": TAG,
    "--publish": r"(127\.0\.0\.1:)?\d+:10068",
    "--volume": r"\$PWD/[\w.]+:/etc/workspace-exporter(/[\w.]+)?:ro",
}
OPT, ETC = "/opt/workspace-exporter", "/etc/"


class Reader:
    """Does what the documents say, in a checkout of its own."""

    def __init__(self, home: Path, document: Path = INSTALL) -> None:
        self.home = home
        self.checkout = home / "checkout"
        self.checkout.mkdir()
        for name in ("exporter", "requirements", "examples", "helm"):
            shutil.copytree(ROOT / name, self.checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE", "Dockerfile", "Makefile"):
            shutil.copyfile(ROOT / name, self.checkout / name)
        for name in ("access_key", "secret_key", "config.yml"):
            (self.checkout / name).write_text("x\n", encoding="utf-8")
        for block in blocks("yaml", document):
            if block.file and "/" not in block.file:
                (self.checkout / block.file).write_text(block.text, encoding="utf-8")

    def run(self, words: list[str], *more: str) -> str:
        """Run a command here, with system folders replaced by this reader's own; it must succeed."""
        placed = [self.place(word) for word in (*words, *more)]
        redirected = placed[placed.index(">") + 1] if ">" in placed else ""
        if redirected:
            placed = placed[: placed.index(">")]
        done = subprocess.run(placed, cwd=self.checkout, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{placed}: {done.stdout}{done.stderr}"
        if redirected:
            Path(redirected).parent.mkdir(parents=True, exist_ok=True)
            Path(redirected).write_text(done.stdout, encoding="utf-8")
        return done.stdout

    def place(self, word: str) -> str:
        """Return a word with /opt and /etc inside this reader's home."""
        return re.sub(rf"^({re.escape(OPT)}|{ETC})", rf"{self.home}\1", word)

    def follow(self, words: list[str]) -> None:
        """Run a command, or have it checked; an unknown one is an error of the document."""
        name = Path(words[0]).name.replace("-", "_").replace("python3", "python")
        act = getattr(self, f"on_{name}", None)
        assert act, f"nobody checks the command {words[0]}"
        act(words)

    def on_python(self, words: list[str]) -> None:
        """Run as it is."""
        self.run(words)

    on_pip = on_install = on_sed = on_python

    def on_workspace_exporter(self, words: list[str]) -> None:
        """The installed command where the document installed one, else this machine's."""
        installed = Path(self.place(words[0]))
        command = str(installed) if installed.is_absolute() and installed.exists() else COMMAND
        self.run([command, *words[1:]], *([] if "--version" in words else ["--help"]))

    def on_systemctl(self, words: list[str]) -> None:
        """The verb and the options are systemctl's."""
        known = self.run([program("systemctl"), "--no-pager", "--help"])
        for word in words[1:]:
            if word != "workspace-exporter":
                assert re.search(rf"^ .*{re.escape(word)}\b", known, re.MULTILINE), word

    def on_docker(self, words: list[str]) -> None:
        """What it builds from and runs must be there and understood; so must the options."""
        if words[1] == "compose":
            self.docker_compose(words)
            return
        rest = docker_operands(words[1], words[2:])
        if words[1] == "build":
            assert rest == ["."]
            assert (self.checkout / "Dockerfile").is_file()
        elif words[1] == "run":
            assert re.fullmatch(TAG, rest[0])
            self.on_workspace_exporter(
                ["workspace-exporter", *(rest[1:] or ["run", "--config.file=config.yml"])]
            )
        elif words[1] == "push":
            assert re.fullmatch(TAG, rest[0])
        elif words[1] == "exec":
            self.on_workspace_exporter(rest[1:])
        if shutil.which("docker"):
            self.run([*words[:2], "--help", *words[2:]])

    def docker_compose(self, words: list[str]) -> None:
        """The file exists, the service too; the flags are Compose's."""
        file = self.checkout / words[words.index("--file") + 1]
        services = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
        rest = words[words.index("--file") + 2 :]
        known = {"up": {"--build", "--detach"}, "down": {"--volumes"}, "logs": set(services)}
        assert set(rest[1:]) <= known[rest[0]]

    def on_kubectl(self, words: list[str]) -> None:
        """Objects are created for show; files that are applied must exist; the rest is checked for syntax."""
        kubectl = [program("kubectl"), *words[1:]]
        if "create" in words:
            created = yaml.safe_load(self.run(kubectl, "--dry-run=client", "--output=yaml"))
            assert created["metadata"]["name"] in words
            return
        if "--filename" in words:
            assert (self.checkout / words[words.index("--filename") + 1]).is_file()
        self.run(kubectl, "--help")

    def on_helm(self, words: list[str]) -> None:
        """An upgrade is rendered with the same arguments; a test is checked for syntax."""
        helm = program("helm")
        if words[1] == "upgrade":
            rendered = self.run([helm, "template", *[word for word in words[2:] if word != "--install"]])
            assert "kind: Deployment" in rendered
        else:
            self.run([helm, *words[1:]], "--help")

    def on_promtool(self, words: list[str]) -> None:
        """Run as it is."""
        self.run([program("promtool"), *words[1:]])

    def on_pip_audit(self, words: list[str]) -> None:
        """Everything but asking for advisories."""
        self.run([program("pip-audit"), *words[1:]], "--dry-run")

    def on_make(self, words: list[str]) -> None:
        """The target exists."""
        makefile = (self.checkout / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), words[1]


def docker_operands(verb: str, words: list[str]) -> list[str]:
    """Return what follows the options of a docker command; an unknown or malformed option is an error."""
    valued, switches = DOCKER[verb]
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        assert option in valued | switches, f"docker {verb} {option}"
        if option in valued:
            value = rest.pop(0) if rest else ""
            assert re.fullmatch(SHAPES.get(option, ".+"), value), f"{option} {value}"
    assert rest, f"docker {verb} of what?"
    return rest


def test_the_readme_has_a_short_path_for_each_way() -> None:
    """Pip, container, compose, Helm with the operator and without, each in a handful of commands."""
    found = {block.heading: block.commands for block in blocks("sh", README)}
    programs = {heading: {Path(words[0]).name for words in found[heading]} for heading in found}
    assert programs == {
        "pip": {"python3", "pip", "workspace-exporter"},
        "Container": {"docker"},
        "Compose": {"docker"},
        "Helm with the Prometheus operator": {"docker", "kubectl", "helm"},
        "Helm without the operator": {"helm", "kubectl"},
    }
    assert all(len(commands) <= 5 for commands in found.values())


def test_the_container_gets_the_variables_of_the_configuration() -> None:
    """What the README's configuration takes from the environment is what its container is given."""
    (run,) = [words for block in blocks("sh", README) for words in block.commands if "--env" in words]
    given = {run[place + 1] for place, word in enumerate(run) if word == "--env"}
    (shown,) = re.findall(
        r"^# config\.yml$.*?^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert given == set(re.findall(r"\$\{(\w+)\}", shown))


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_the_shell_understands_every_block(block: Block) -> None:
    """Bash parses each block without a complaint."""
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.real
@pytest.mark.parametrize("heading", sorted({str(block) for block in SHELL}))
def test_every_command_works(heading: str, tmp_path: Path) -> None:
    """The commands under each heading are run in order, or are well-formed where that is all to be seen."""
    found = [block for block in SHELL if str(block) == heading]
    reader = Reader(tmp_path, found[0].document)
    for block in found:
        for words in block.commands:
            reader.follow(words)


@pytest.mark.real
def test_the_reader_sees_mistakes(tmp_path: Path) -> None:
    """A misspelt flag, a missing file and an unknown command are found."""
    reader = Reader(tmp_path)
    for line in (
        "helm upgrade --install we helm/workspace-exporter --vaules values.yml",
        "helm upgrade --install we helm/workspace-exporter --values missing.yml",
        "kubectl port-forward --nosuch service/x 1:1",
        "docker run workspace-exporter:0.1.0 demmo",
        "docker run --raed-only workspace-exporter:0.1.0 demo",
        "docker run --publish 10068:10086 workspace-exporter:0.1.0 demo",
        "docker run --env workspace-exporter:0.1.0",
        "docker build --tag workspace-exporter:0.1.0",
        "docker compose --file examples/docker-compose.yml up --detatch",
        "systemctl enabel workspace-exporter",
        "make nothing",
        "frobnicate",
    ):
        with pytest.raises(AssertionError):
            reader.follow(line.split())


@pytest.mark.real
@pytest.mark.parametrize("block", YAML, ids=str)
def test_every_file_is_good(block: Block, tmp_path: Path) -> None:
    """Configurations are parsed by the exporter, values rendered by helm, the rest checked by promtool."""
    tree: Manifest = yaml.safe_load(block.text)
    if "projects" in tree:
        assert parse_config(block.text, {}, tmp_path).projects
    elif "scrape_configs" in tree:
        # Debian's promtool is built without this discovery, so its few words are checked here.
        assert tree["scrape_configs"][0].pop("kubernetes_sd_configs") == [{"role": "pod"}]
        file = tmp_path / "prometheus.yml"
        file.write_text(yaml.safe_dump(tree), encoding="utf-8")
        done = subprocess.run(
            [program("promtool"), "check", "config", str(file)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert tree["scrape_configs"][0]["job_name"] == "workspace-exporter"
    else:
        assert template(tree).workload


@pytest.mark.real
def test_the_scrape_job_finds_the_pods() -> None:
    """The labels and the port that the documented job looks for are those of the chart's pods."""
    (job, *others) = [block for block in YAML if "scrape_configs" in block.text]
    relabelling = yaml.safe_load(job.text)["scrape_configs"][0]["relabel_configs"][0]
    assert [yaml.safe_load(block.text)["scrape_configs"] for block in others] == [
        yaml.safe_load(job.text)["scrape_configs"]
    ] * len(others)
    release = template()
    label = release.workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
    port = release.container["ports"][0]["name"]
    assert relabelling["source_labels"] == [
        "__meta_kubernetes_pod_label_app_kubernetes_io_name",
        "__meta_kubernetes_pod_container_port_name",
    ]
    assert re.fullmatch(relabelling["regex"], f"{label};{port}")


def test_the_examples_manifests_are_what_the_document_says() -> None:
    """The paths of the document's tables and texts exist."""
    text = INSTALL.read_text(encoding="utf-8")
    for path in re.findall(r"`(examples/[\w/.-]+)`", text):
        assert (ROOT / path).exists(), path
    assert os.access(ROOT / "examples" / "kubernetes" / "workspace-exporter.yaml", os.R_OK)
