# One base for every stage, so that a closed network needs one image beside PostgreSQL's.
ARG BASE=python:3.12-slim-trixie

# What the pages load in a browser, at the versions and hashes of package-lock.json; npm comes as a Python package.
FROM ${BASE} AS assets
WORKDIR /src
COPY requirements/assets.txt requirements/
COPY package.json package-lock.json ./
COPY tools/page_assets.py tools/
COPY app/web/assets app/web/assets
RUN python -m tools.page_assets

FROM ${BASE} AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/build.in requirements/
RUN python -m venv /opt/dutyring \
    && /opt/dutyring/bin/pip install --no-cache-dir -r requirements/build.in \
    && /opt/dutyring/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY sip sip
COPY recordings recordings
COPY migrations migrations
COPY --from=assets /src/app/web/static/vendor app/web/static/vendor
RUN /opt/dutyring/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM ${BASE}
# postgresql-client: `dutyring backup` and `dutyring restore` of a PostgreSQL database.
RUN apt-get update \
    && apt-get install -y --no-install-recommends tzdata postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 dutyring \
    && install -d -m 0700 -o dutyring -g dutyring /data
COPY --from=build /opt/dutyring /opt/dutyring
USER 10001
WORKDIR /home/dutyring
ENV PATH=/opt/dutyring/bin:$PATH \
    DUTYRING_DATA_DIR=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=40s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# Published on the host's loopback address only, as docker-compose.yml does; a proxy with HTTPS stands before it.
CMD ["dutyring", "serve", "--host", "0.0.0.0", "--port", "8000"]
