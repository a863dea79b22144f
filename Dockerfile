FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/
RUN python -m venv /opt/dutyring \
    && /opt/dutyring/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY . .
RUN /opt/dutyring/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 dutyring \
    && install -d -o dutyring -g dutyring /data
COPY --from=build /opt/dutyring /opt/dutyring
USER dutyring
WORKDIR /home/dutyring
ENV PATH=/opt/dutyring/bin:$PATH DUTYRING_DATA_DIR=/data PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# The pages have no accounts yet: publish the port on the host's loopback address only, as docker-compose.yml does.
CMD ["dutyring", "serve", "--host", "0.0.0.0", "--port", "8000"]
