FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends git make ca-certificates
COPY . /src
WORKDIR /src
RUN scripts/install-deps build && make

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends libcrypt1 libdeflate0 libnghttp2-14 libre2-9 libsnappy1v5 libsqlite3-0 libssl3 libuv1 \
        libxxhash0 libyaml-0-2 libzstd1 && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/ccmon /usr/local/bin/ccmon
RUN useradd --system ccmon && install -d -o ccmon -m 700 /data
USER ccmon
VOLUME /data
EXPOSE 4317 4318 9090 3100 3001
ENTRYPOINT ["ccmon"]
CMD ["serve", "--config", "/etc/ccmon/ccmon.yml"]
