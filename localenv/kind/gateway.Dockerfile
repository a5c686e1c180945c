# The gateway: its jar and a Java runtime. The pod says the command (localenv.gateway.command) and mounts the configuration, so both are what `make up` uses.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY gateway.jar /opt/gateway/gateway.jar
# The root may be read-only: the JVM and Vert.x write to /tmp alone.
WORKDIR /
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["java"]
