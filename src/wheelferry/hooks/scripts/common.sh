# Whatever happens here, the job goes on; some CI systems run this under `sh -e`.
trap 'exit 0' EXIT

# What a job has put into its environment chooses no program and no setting here.
PATH=@PATH@
python=@PYTHON@
config=@CONFIG@
socket=@SOCKET@
deadline_s=@DEADLINE_S@
# For what hangs although it limits itself, where there is a timeout(1).
limit_s=$((deadline_s + 15))

# Run a program that sees no more of that environment than where the uv cache is.
run() {
  set -- env -i PATH="$PATH" HOME="${HOME:-/}" LANG=C.UTF-8 \
    ${UV_CACHE_DIR:+"UV_CACHE_DIR=$UV_CACHE_DIR"} \
    ${UV_CONFIG_FILE:+"UV_CONFIG_FILE=$UV_CONFIG_FILE"} \
    ${XDG_CACHE_HOME:+"XDG_CACHE_HOME=$XDG_CACHE_HOME"} \
    ${WHEELFERRY_DISABLE:+"WHEELFERRY_DISABLE=$WHEELFERRY_DISABLE"} \
    "$@"
  if command -v timeout >/dev/null; then
    set -- timeout -s KILL "$limit_s" "$@"
  fi
  # Its words are ours; what the shell has to say of its end is not.
  { "$@" 2>&1; } 2>/dev/null
}
