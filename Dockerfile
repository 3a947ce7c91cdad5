# One image for the webserver, the daemon and the code location.
# Build: docker build -t seg3b-assets .

FROM python:3.11-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /opt/seg3b
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
COPY pyproject.toml uv.lock README.md LICENSE NOTICE ./
RUN uv sync --frozen --no-dev --no-install-project
COPY contracts contracts
COPY policies policies
COPY seg3b_assets seg3b_assets
RUN uv sync --frozen --no-dev

FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 10001 seg3b \
    && mkdir -p /var/lib/seg3b/home /var/lib/seg3b/cache /var/lib/dagster \
    && chown -R seg3b:seg3b /var/lib/seg3b /var/lib/dagster
COPY --from=build /opt/seg3b /opt/seg3b
COPY dagster.yaml /var/lib/dagster/dagster.yaml
WORKDIR /opt/seg3b
ENV PATH=/opt/seg3b/.venv/bin:$PATH \
    DAGSTER_HOME=/var/lib/dagster \
    DAGSTER_MODULE_NAME=seg3b_assets.definitions \
    SEG3B_HOME=/var/lib/seg3b/home \
    SEG3B_CACHE=/var/lib/seg3b/cache
USER seg3b
VOLUME ["/var/lib/seg3b", "/var/lib/dagster"]
EXPOSE 3000
CMD ["dagster-webserver", "-h", "0.0.0.0", "-p", "3000", "-m", "seg3b_assets.definitions"]
