# Two stages on one base: a virtual environment only runs where the interpreter it was made for stands.

FROM python:3.13-slim AS build

# Name a mirror of the package index here where the default one is far away: --build-arg PIP_INDEX_URL=…
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ONLY_BINARY=:all:
WORKDIR /build

RUN python -m venv /tools \
 && python -m venv --without-pip /opt/workspace-exporter

# The dependencies change more rarely than the code: they get a layer of their own. The lock files carry
# the hash of every archive, and only wheels are taken, so that nothing is compiled or run while installing.
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN /tools/bin/pip install --require-hashes -r requirements/build.txt \
 && /tools/bin/pip --python /opt/workspace-exporter/bin/python install --require-hashes -r requirements/runtime.txt

COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
RUN /tools/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir dist . \
 && /tools/bin/pip --python /opt/workspace-exporter/bin/python install --no-index --no-deps dist/*.whl


FROM python:3.13-slim

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="workspace-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the scheduled tasks of Huawei Cloud Workspace desktops" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim"

# The base image's own installers have no business in a running container.
RUN find /usr -depth \( -name pip -o -name 'pip[0-9]*' -o -name 'pip-*' -o -name ensurepip -o -name python-wheels \
      -o -name 'setuptools*' -o -name pkg_resources -o -name wheel -o -name 'wheel-*' \) -exec rm -rf {} +

COPY --from=build /opt/workspace-exporter /opt/workspace-exporter

ENV PATH=/opt/workspace-exporter/bin:$PATH \
    WORKSPACE_EXPORTER_REVISION=${REVISION} \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /
USER 65532:65532
EXPOSE 10068

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["workspace-exporter", "healthcheck"]
ENTRYPOINT ["workspace-exporter"]
CMD ["run", "--config.file=/etc/workspace-exporter/config.yml"]
