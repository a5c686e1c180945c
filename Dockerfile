# The operator's image: `make image`, or docker build --build-arg VERSION=... .
# Any image with Python 3.11 or newer will do as BASE_IMAGE. RUNTIME_IMAGE may be one without shell and package manager, with the same Python at the
# same path: the last stage runs nothing.
ARG BASE_IMAGE=docker.io/library/python:3.11-slim
ARG RUNTIME_IMAGE=${BASE_IMAGE}

FROM ${BASE_IMAGE} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/runtime.txt requirements/build.txt requirements/
# Every dependency is a wheel whose hash is known; no code of a dependency runs here. What the operator runs on comes first: it seldom changes.
RUN pip wheel --require-hashes --no-deps --only-binary=:all: --wheel-dir=/wheels --requirement=requirements/runtime.txt
RUN python -m venv --without-pip /opt/registrar \
    && pip --python=/opt/registrar/bin/python install --no-index --find-links=/wheels --require-hashes --no-deps --requirement=requirements/runtime.txt \
    && pip --python=/opt/registrar/bin/python check
RUN python -m venv --without-pip /builder && pip --python=/builder/bin/python install --require-hashes --no-deps --only-binary=:all: --requirement=requirements/build.txt
# From here on a change of our own code makes no layer anew but the last.
COPY pyproject.toml README.md LICENSE ./
COPY operator/registrar operator/registrar
RUN pip --python=/builder/bin/python wheel --no-index --no-deps --no-build-isolation --wheel-dir=/package . \
    && pip --python=/opt/registrar/bin/python install --no-index --no-deps /package/gateway_registrar-*.whl

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=""
ARG RUNTIME_IMAGE
LABEL org.opencontainers.image.title="gateway-registrar" \
      org.opencontainers.image.description="A Kubernetes operator for the consumer side of API management" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${RUNTIME_IMAGE}"
COPY --from=build /opt/registrar /opt/registrar
# The root may be read-only: nothing is written but to /tmp, and no module is looked for where the process stands.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1 TMPDIR=/tmp HOME=/tmp
WORKDIR /
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/opt/registrar/bin/python", "-m", "registrar", "run"]
