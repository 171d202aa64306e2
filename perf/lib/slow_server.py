"""A server outside that takes a fixed time for every answer."""
import http.client
import json
import subprocess

from lib import load
from lib.server import end


class SlowServer:
    def __init__(self, context, latency, *era):
        # It stands for another machine: what it costs is not to be taken from the tasks.
        command = ["nice", "-n", "19", load.program(context.build, "slow_server"), str(latency), *era]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        figures = json.loads(connection.getresponse().read())
        connection.close()
        return figures

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.process.stdout.close()
