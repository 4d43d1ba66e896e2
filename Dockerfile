# Bienvenue in a container.
#
#   docker build -t bienvenue .
#   docker run -p 5000:5000 -v bienvenue-data:/data -e PUBLIC_URL=https://id.example.com … bienvenue
#
# Set PUBLIC_URL to an https address. Without it the service runs in local mode, returns reset tokens to every caller, and
# therefore listens on loopback only. In a container it then refuses to start. At start-up the service lists every other
# option that public mode needs, such as the mail server. See docs/guides/deploy.md.

FROM node:24-bookworm-slim AS install
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY server/package.json server/
# Never use --omit=optional: the runtime below and the native password hashes are optional packages. No production
# dependency needs an install script, so none may run. Removing the headers and manuals of the runtime saves 75 MB.
RUN npm ci --omit=dev --ignore-scripts \
 && rm -rf node_modules/node-*/include node_modules/node-*/share node_modules/node-*/*.md

FROM install AS bundle
RUN npm ci --include=dev --ignore-scripts
COPY tools/bundle.mjs tools/
COPY server server
RUN node tools/bundle.mjs

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin bienvenue \
 && install --directory --owner=bienvenue --group=bienvenue --mode=0700 /data
WORKDIR /app
# Owned by root: an attacker who controls the service cannot modify its code.
COPY --from=install /app/node_modules node_modules
COPY package.json LICENSE ./
COPY server server
COPY --from=bundle /app/server/bundle server/bundle
# The runtime pinned by the lock file, the same as in development; the base image has no Node.js.
ENV PATH=/app/node_modules/.bin:$PATH \
    DATA_DIR=/data \
    HOST=0.0.0.0
USER 10001:10001
VOLUME /data
EXPOSE 5000
# Checks liveness only: a short outage of the database must not restart the process.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 5000}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "server/bin/bienvenue.js"]
CMD ["serve"]
