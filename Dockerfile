# Runs the job as an ordinary user, from a wheel and dependencies locked by hash; deploy/container/README.md says how to
# build, run and check it. Both bases must have the same Python at the same path; the second needs no shell and no package
# manager. In production, name them by digest: --build-arg BASE=python:3.13-slim@sha256:...
ARG BASE=python:3.13-slim
ARG BUILD_BASE=${BASE}

FROM ${BUILD_BASE} AS build
WORKDIR /src
COPY requirements/build.txt requirements/core.txt requirements/
RUN python3 -m venv /build && \
    /build/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/build.txt && \
    python3 -m venv --without-pip /app && \
    /build/bin/python -m pip --python /app/bin/python3 install --no-cache-dir --no-compile --require-hashes \
        -r requirements/core.txt
COPY pyproject.toml README.md LICENSE ./
COPY migrations/ migrations/
COPY sync/ sync/
RUN /build/bin/python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . && \
    /build/bin/python -m pip --python /app/bin/python3 install --no-cache-dir --no-compile --no-deps /dist/*.whl
COPY deploy/container/health.py deploy/container/finish.py /app/
RUN chmod -R u=rwX,go=rX /app

FROM ${BASE}
COPY --from=build /app /app
# Compiles to bytecode, removes pip, and removes whatever would let an ordinary user write or become another user.
RUN ["/app/bin/python3", "/app/finish.py"]
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TMPDIR=/tmp
# image-sync.toml is read from here.
WORKDIR /etc/image-sync
USER 10001:10001
STOPSIGNAL SIGTERM
# Asks a scheduler that listens whether it is alive; a one-shot run is healthy for as long as it lasts.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["/app/bin/python3", "/app/health.py"]
ENTRYPOINT ["image-sync"]
CMD ["run"]
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="image-sync" \
      org.opencontainers.image.description="Scheduled, proven inventory sync of cloud images into PostgreSQL" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0"
