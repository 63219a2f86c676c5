# Cinch without the embedded engine, for use beside a ClickHouse server (docker-compose.yml). No engine of containers was at
# hand where this was written: it has not been built yet.
FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# Everything, for the screens are built here; only what is needed to run goes into the second image.
RUN npm ci
COPY . .
RUN npm run build

FROM node:24-slim
WORKDIR /opt/cinch
COPY package.json package-lock.json ./
# The image's own Node is the right one, so the package `node` need not fetch another: no install scripts.
# Optional is the embedded engine, 800 MB that are not used beside a server.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force
COPY --from=build /build/dist dist
COPY --from=build /build/web/dist web/dist
COPY migrations migrations
COPY services services
# Sources would be taken for the repository's, where Node runs them as they are.
RUN find services -name '*.ts' -delete && mkdir /data && chown node:node /data
USER node
# The spool (telemetry that is not in the store yet) and the admin token lie in .cinch of the working directory.
WORKDIR /data
VOLUME /data
EXPOSE 7480 4317 4318
ENTRYPOINT ["node", "/opt/cinch/services/cli/bin.js"]
CMD ["serve", "--host", "0.0.0.0"]
