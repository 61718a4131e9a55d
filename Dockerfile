# fpgacnn with a C++ compiler, without TensorFlow and without vendor tools; `--target train` adds TensorFlow and QKeras.
#   docker build -t fpgacnn .                            any Debian with Python 3.11, in the image or in apt (--build-arg BASE=...)
#   docker build -t fpgacnn:train --target train .
#   docker run --rm fpgacnn demo                         every fpgacnn command; `test` runs the C simulation regression tests
#   docker run --rm -u "$(id -u):$(id -g)" -v "$PWD:/work" fpgacnn convert /work/model.h5 -o /work/model_hls
# Nothing is written outside /work, /tmp and the cache: docker run --read-only --tmpfs /tmp --tmpfs /var/cache/fpgacnn:mode=1777 ...
ARG BASE=python:3.11-slim-bookworm

# --- what every stage has: Python and g++ ---
FROM ${BASE} AS base
COPY tools/bootstrap.sh /opt/fpgacnn/tools/
RUN /opt/fpgacnn/tools/bootstrap.sh > /opt/fpgacnn/python \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/ldconfig
ENV PATH=/opt/fpgacnn/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1

# --- the virtual environments: locked packages with hashes, then fpgacnn's own wheel; the same input gives the same files ---
FROM base AS packages
ARG SOURCE_DATE_EPOCH=1735689600
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1
COPY requirements /opt/build/requirements
RUN "$(cat /opt/fpgacnn/python)" -m venv /opt/fpgacnn/venv \
    && "$(cat /opt/fpgacnn/python)" -m venv /opt/build/venv \
    && /opt/build/venv/bin/pip install --quiet --no-deps --require-hashes -r /opt/build/requirements/build.txt \
    && pip install --quiet --no-deps --require-hashes -r /opt/build/requirements/runtime.txt
COPY pyproject.toml hatch_build.py README.md LICENSE /opt/build/
COPY models /opt/build/models
COPY fpgacnn /opt/build/fpgacnn
RUN cd /opt/build && /opt/build/venv/bin/hatchling build -t wheel -d /opt/build/dist \
    && pip install --quiet --no-deps --no-index /opt/build/dist/*.whl \
    && pip check \
    && pip uninstall --quiet --yes pip \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/fpgacnn/venv/lib

# --- the same with TensorFlow and QKeras ---
FROM packages AS train-packages
RUN /opt/build/venv/bin/pip --python /opt/fpgacnn/venv/bin/python install --quiet --no-deps --require-hashes -r /opt/build/requirements/train.txt \
    && /opt/build/venv/bin/pip --python /opt/fpgacnn/venv/bin/python check \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/fpgacnn/venv/lib

# --- what runs: a user without rights, folders that any user may write ---
FROM base AS common
LABEL org.opencontainers.image.title=fpgacnn org.opencontainers.image.licenses=Apache-2.0
RUN useradd --create-home --uid 10001 fpgacnn && mkdir -m 1777 /work /var/cache/fpgacnn && rm -f /var/log/faillog /var/log/lastlog
ENV XDG_CACHE_HOME=/var/cache/fpgacnn
COPY tools/docker_entry.sh /opt/fpgacnn/tools/
COPY pyproject.toml /opt/fpgacnn/
COPY models /opt/fpgacnn/models
COPY docs /opt/fpgacnn/docs
COPY tests /opt/fpgacnn/tests
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["/opt/fpgacnn/tools/docker_entry.sh"]
CMD ["--help"]

FROM common AS train
ENV KERAS_HOME=/tmp/keras
COPY --from=train-packages /opt/fpgacnn/venv /opt/fpgacnn/venv

FROM common AS runtime
COPY --from=packages /opt/fpgacnn/venv /opt/fpgacnn/venv
