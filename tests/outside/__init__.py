"""The whole product through real sockets: processes, a Bot API server, stock clients."""
