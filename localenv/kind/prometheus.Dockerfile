# Prometheus out of Debian's package, where the public image can't be had; it is started in the same way.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY prometheus /bin/prometheus
WORKDIR /
USER 65532:65532
EXPOSE 9090
ENTRYPOINT ["/bin/prometheus"]
