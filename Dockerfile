# One image for every component of Newsdesk; see docker-compose.yml. Needs BuildKit.
# Built from the locks alone: whatever is not named there, with its hash, is not in it.
ARG PYTHON=python:3.12-slim-bookworm

FROM ${PYTHON} AS built
WORKDIR /opt/newsdesk
COPY pyproject.toml README.md requirements.lock requirements-bootstrap.lock ./
COPY scripts scripts
COPY storage storage
COPY ingest ingest
RUN --mount=type=cache,target=/root/.cache scripts/setup.sh
COPY topics topics
COPY feeds.toml ./
COPY dags dags
COPY plugins plugins

FROM ${PYTHON}
RUN useradd --uid 1000 --create-home newsdesk
COPY --from=built /opt/newsdesk /opt/newsdesk
# Airflow asks for the name of its user, which a number given by docker-compose does not have.
ENV PATH=/opt/newsdesk/.venv/bin:$PATH \
    HOME=/tmp \
    LOGNAME=newsdesk \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/state/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/newsdesk/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/newsdesk/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False
WORKDIR /opt/newsdesk
USER 1000
CMD ["newsdesk", "--help"]
