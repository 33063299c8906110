"""AWS, three times over: the simulated account, moto and ministack, each a server on a loopback port."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import boto3
from botocore.config import Config

ACCOUNT = "123456789012"
REGION = "eu-west-1"
SCRIPTS = Path(sys.executable).parent
START_SECONDS = 30

T = TypeVar("T")

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Server:
    """An AWS look-alike that listens at `endpoint`."""

    name: str
    endpoint: str

    def client(self, service: str):
        """A boto3 client that reports the first answer it gets: a retry would hide what is tested here."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60),
        )

    def aws(self, *arguments: str) -> str:
        """Runs the AWS CLI. The flag and the variable say the same: some of its commands heed only one of them."""
        return self.run([SCRIPTS / "aws", "--endpoint-url", self.endpoint, *arguments], Path.cwd())

    def shell(self, commands: str, directory: Path) -> str:
        """Runs what somebody pastes into a shell."""
        return self.run(["bash", "-c", commands], directory)

    def run(self, command: list, directory: Path) -> str:
        environment = {**bare_environment(), **CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint}
        done = subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout


@contextmanager
def simulated_account() -> Iterator[Server]:
    """Our own: it prints where it listens, and ends when its standard input does."""
    with subprocess.Popen([os.environ["DEMO"], "serve", "--port", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server("simulated account", json.loads(process.stdout.readline())["endpoint"])
        finally:
            process.stdin.close()


@contextmanager
def moto(log: Path) -> Iterator[Server]:
    port = free_port()
    server = Server("moto", f"http://127.0.0.1:{port}")
    with running([SCRIPTS / "moto_server", "-H", "127.0.0.1", "-p", str(port)], bare_environment(), log):
        wait_for(f"{server.endpoint}/moto-api/")
        yield server


@contextmanager
def ministack(log: Path, directory: Path) -> Iterator[Server]:
    """It hands its own environment on to the functions that it runs, so that holds nothing but what is listed here."""
    port = free_port()
    server = Server("ministack", f"http://127.0.0.1:{port}")
    environment = {
        **bare_environment(),
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": server.endpoint,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "TMPDIR": str(directory),
    }
    with running([SCRIPTS / "ministack"], environment, log):
        wait_for(f"{server.endpoint}/_ministack/health")
        yield server


def bare_environment() -> dict[str, str]:
    return {"PATH": f"{SCRIPTS}:{os.environ['PATH']}", "HOME": os.environ["HOME"]}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def running(command: list, environment: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=START_SECONDS)


def wait_for(url: str) -> None:
    def answers() -> bool:
        try:
            return urllib.request.urlopen(url, timeout=5).status == 200
        except urllib.error.URLError:
            return False

    eventually(answers, START_SECONDS, f"{url} does not answer")


def eventually(read: Callable[[], T], seconds: float, otherwise: str) -> T:
    """The first answer of `read` that is not falsy."""
    until = time.monotonic() + seconds
    while not (seen := read()):
        assert time.monotonic() < until, f"{otherwise} after {seconds} s"
        time.sleep(0.1)
    return seen
