#!/bin/sh
# A self-signed certificate for a trial on this machine: deploy/tls/certificate.pem and key.pem (never committed).
# A real site uses one that browsers trust, for example from an ACME client.
set -eu
name=${1:-localhost}
folder=$(dirname "$0")/tls
mkdir -p "$folder"
if [ -e "$folder/key.pem" ]; then
    echo "deploy/tls holds a key already; nothing done." >&2
    exit 0
fi
command -v openssl >/dev/null || { echo "openssl not found (Debian, Ubuntu: apt install openssl)" >&2; exit 1; }
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$name" \
    -addext "subjectAltName=DNS:$name,DNS:localhost,IP:127.0.0.1" \
    -keyout "$folder/key.pem" -out "$folder/certificate.pem" 2>/dev/null
echo "Made deploy/tls/certificate.pem for $name, valid for 30 days." >&2
