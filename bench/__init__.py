"""What a message costs, measured on the real server process and on two bot libraries in the same run: `make bench`."""
