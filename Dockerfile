# syncd as nobody's user, for a read-only root: see deploy/compose.yaml.
#
#   docker build --tag syncd .
#   docker build --tag syncd --build-arg LOCK=postgres .     for a ledger in PostgreSQL

FROM python:3.13-slim AS build
WORKDIR /src
ARG LOCK=runtime
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/${LOCK}.lock requirements/build.lock requirements/
RUN python -m venv /opt/syncd \
    && /opt/syncd/bin/python -m pip install --only-binary :all: --require-hashes -r requirements/${LOCK}.lock \
    && python -m venv /tmp/build \
    && /tmp/build/bin/python -m pip install --only-binary :all: --require-hashes -r requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY syncd syncd
COPY connectors connectors
COPY docs/keys.md docs/keys.md
COPY docs/reference/errors.md docs/reference/errors.md
RUN /tmp/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/dist . \
    && /opt/syncd/bin/python -m pip install --no-index --no-deps /tmp/dist/*.whl \
    && install -d -o 10001 -g 10001 -m 0700 /empty

FROM python:3.13-slim
COPY --from=build /opt/syncd /opt/syncd
COPY --from=build --chown=10001:10001 /empty /var/lib/syncd
ENV PATH=/opt/syncd/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/syncd
VOLUME /var/lib/syncd
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-I", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["/opt/syncd/bin/python", "-I", "-m", "syncd"]
CMD ["run", "--config", "/etc/syncd/config.yaml"]
