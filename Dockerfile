# Bienvenue in a container.
#
#   docker build -t bienvenue .
#   docker run -p 5000:5000 -v bienvenue-data:/data -e PUBLIC_URL=https://id.example.com … bienvenue
#
# PUBLIC_URL must be given, and be https: without it the service is in its local mode, hands reset tokens to whoever asks,
# and therefore refuses to listen on anything but loopback. In a container that means it refuses to start, on purpose.
# What else the public mode asks for (a mail transport above all) it lists, at once, when it starts.

FROM node:24-bookworm-slim AS install
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY server/package.json server/
# Never --omit=optional: the runtime below and the native password hashes are optional packages. Nothing that runs in
# production has an install script, so none is allowed. The runtime's headers and manuals are dead weight: 75 MB.
RUN npm ci --omit=dev --ignore-scripts \
 && rm -rf node_modules/node-*/include node_modules/node-*/share node_modules/node-*/*.md

FROM install AS bundle
COPY tools/bundle.mjs tools/
RUN npm ci --include=dev --ignore-scripts && node tools/bundle.mjs

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin bienvenue \
 && install --directory --owner=bienvenue --group=bienvenue --mode=0700 /data
WORKDIR /app
# Owned by root: a hole in the service cannot rewrite the service.
COPY --from=install /app/node_modules node_modules
COPY package.json LICENSE ./
COPY server server
COPY --from=bundle /app/server/bundle server/bundle
# The runtime pinned by the lock, the same as in development; the image needs no Node.js of its own.
ENV PATH=/app/node_modules/.bin:$PATH \
    DATA_DIR=/data \
    HOST=0.0.0.0
USER 10001:10001
VOLUME /data
EXPOSE 5000
# Liveness only: a database that is away for a moment is no reason to kill the process. If the service ends TLS itself,
# override this with --health-cmd.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 5000}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "server/bin/bienvenue.js"]
CMD ["serve"]
