"""What a gateway process has used, as the system counts it."""

import os

from tests.gateway_process import GatewayProcess


def processor(gateway: GatewayProcess) -> float:
    """Seconds of processor so far."""
    user, system = _read(gateway, "stat").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory(gateway: GatewayProcess) -> int:
    """Bytes in RAM."""
    return int(_read(gateway, "statm").split()[1]) * os.sysconf("SC_PAGESIZE")


def _read(gateway: GatewayProcess, name: str) -> str:
    assert gateway.process is not None
    with open(f"/proc/{gateway.process.pid}/{name}") as file:
        return file.read()
