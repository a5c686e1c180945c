# The API behind the gateway: one module on the aiohttp that the operator's image has.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="gateway-registrar-backend" \
      org.opencontainers.image.description="An API that answers with the request that it saw, for tests"
COPY backend.py /opt/backend.py
EXPOSE 8080
ENTRYPOINT ["/opt/registrar/bin/python", "/opt/backend.py", "8080", "--host=0.0.0.0"]
