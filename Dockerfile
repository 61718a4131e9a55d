# fpgacnn with a C++ compiler, without TensorFlow and without vendor tools.
#   docker build -t fpgacnn .                 other bases: any Debian or Ubuntu with Python 3.11 to 3.13, installed or in apt
#   docker run --rm fpgacnn demo              every fpgacnn command; `test` runs the C simulation regression tests
ARG BASE=python:3.11-slim
FROM ${BASE}

COPY tools/bootstrap.sh tools/docker_entry.sh /opt/fpgacnn/tools/
RUN python=$(/opt/fpgacnn/tools/bootstrap.sh) \
    && "$python" -m venv /opt/fpgacnn/venv \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/fpgacnn/venv/bin:$PATH

COPY pyproject.toml README.md LICENSE /opt/fpgacnn/
COPY fpgacnn /opt/fpgacnn/fpgacnn
COPY models /opt/fpgacnn/models
# The source goes away again, so that the tests meet the installed package.
RUN pip install --no-cache-dir '/opt/fpgacnn[demo]' pytest hypothesis \
    && rm -rf /opt/fpgacnn/fpgacnn
COPY tests /opt/fpgacnn/tests

# Any user can run it (docker run -u): the working folder and the cache of C simulations are open to all.
RUN useradd --create-home fpgacnn && mkdir -m 1777 /data /var/cache/fpgacnn
ENV XDG_CACHE_HOME=/var/cache/fpgacnn
USER fpgacnn
WORKDIR /data
ENTRYPOINT ["/opt/fpgacnn/tools/docker_entry.sh"]
CMD ["--help"]
