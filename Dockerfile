# The job as an ordinary user, from a wheel and dependencies locked by hashes.
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv /app && \
    /app/bin/pip install --no-cache-dir --require-hashes -r requirements/core.txt && \
    python -m venv /build && \
    /build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY . .
RUN /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . && \
    /app/bin/pip install --no-cache-dir --no-deps /dist/*.whl && \
    /app/bin/python -m compileall -q /app/lib

FROM python:3.13-slim
COPY --from=build /app /app
USER 10001:10001
ENV PYTHONUNBUFFERED=1 PATH=/app/bin:$PATH
ENTRYPOINT ["image-sync"]
CMD ["run"]
