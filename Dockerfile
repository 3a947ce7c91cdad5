# One image for the code location, the webserver and the daemon; the command says which (deploy/start).
# Build: docker build -t seg3b-assets .
#
# The base is pinned to its exact version; to pin the bytes too, build with
#   --build-arg PYTHON_IMAGE=python:3.11.13-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /opt/seg3b
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
COPY pyproject.toml uv.lock README.md LICENSE NOTICE ./
RUN uv sync --frozen --no-dev --extra deployment --no-install-project
COPY contracts contracts
COPY docs/laws.md docs/laws.md
COPY policies policies
COPY seg3b_assets seg3b_assets
COPY deploy deploy
COPY dagster.yaml workspace.yaml ./
RUN uv sync --frozen --no-dev --extra deployment

FROM ${PYTHON_IMAGE}
RUN useradd --create-home --uid 10001 seg3b \
    && mkdir -p /var/lib/seg3b/home /var/lib/seg3b/cache /var/lib/dagster \
    && chown -R seg3b:seg3b /var/lib/seg3b /var/lib/dagster
COPY --from=build /opt/seg3b /opt/seg3b
WORKDIR /opt/seg3b
ENV PATH=/opt/seg3b/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    DAGSTER_HOME=/var/lib/dagster \
    SEG3B_HOME=/var/lib/seg3b/home \
    SEG3B_CACHE=/var/lib/seg3b/cache
USER 10001:10001
VOLUME ["/var/lib/seg3b", "/var/lib/dagster"]
EXPOSE 3000 4000
ENTRYPOINT ["/opt/seg3b/deploy/start"]
CMD ["webserver"]
