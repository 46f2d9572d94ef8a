# Sourced: lets $bin/uv resolve as pip would. uv doesn't read pip's settings, nor the system's certificates by itself.
UV_NATIVE_TLS=1
export UV_NATIVE_TLS
index=${PIP_INDEX_URL:-$("$bin/python" -m pip config get global.index-url 2>/dev/null || true)}
[ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
[ -z "${PIP_CERT:-}" ] || export SSL_CERT_FILE="$PIP_CERT"
