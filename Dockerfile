FROM python:3.12-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/switchboard
COPY requirements/run.txt /tmp/run.txt
RUN /opt/switchboard/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r /tmp/run.txt


FROM python:3.12-slim

# Everything that is ever written is under /data; the rest of the image may be mounted read-only.
ENV PATH=/opt/switchboard/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data \
    HOST=0.0.0.0 \
    PORT=8000

RUN groupadd --gid 10001 switchboard \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin switchboard \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data

COPY --from=build /opt/switchboard /opt/switchboard
WORKDIR /srv/switchboard
COPY . .
RUN python -m compileall -q config bots gateway

USER 10001:10001
VOLUME ["/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM

# By the interpreter that is there anyway. A refusal is an answer too: ALLOWED_HOSTS need not name 127.0.0.1.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status >= 500)"]

CMD ["python", "manage.py", "serve", "--quickstart"]
