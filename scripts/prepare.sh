#!/bin/sh
# Before the first `docker compose up`: make secrets, folders and .env. What is there stays.
set -eu
cd "$(dirname "$0")/.."
uid=${NEWSDESK_UID:-$(id -u)} gid=${NEWSDESK_GID:-$(id -g)}
[ "$uid" != 0 ] || uid=1000 gid=1000 # the containers do not run as root

mkdir -p corpus state/archive state/airflow state/secrets
umask 077
chmod 700 state/secrets state/airflow

# secret NAME BYTES: so many random bytes, in base64 that is safe in URLs
secret() {
    [ -s "state/secrets/$1" ] ||
        head -c "$2" /dev/urandom | base64 -w 0 | tr '+/' '-_' >"state/secrets/$1"
}
secret postgres_password 24
secret fernet_key 32
secret jwt_secret 64
secret api_secret_key 64
[ -e state/secrets/guardian_key ] || : >state/secrets/guardian_key # yours, if you have one
[ -s state/secrets/pgpass ] ||
    printf 'postgres:*:*:newsdesk:%s\n' "$(cat state/secrets/postgres_password)" \
        >state/secrets/pgpass
[ -s state/airflow/passwords.json ] ||
    printf '{"admin": "%s"}\n' "$(head -c 12 /dev/urandom | base64 -w 0 | tr '+/' '-_')" \
        >state/airflow/passwords.json
[ -e .env ] || printf 'NEWSDESK_UID=%s\nNEWSDESK_GID=%s\n' "$uid" "$gid" >.env
[ "$(id -u)" != 0 ] || chown -R "$uid:$gid" corpus state

grep -q '^NEWS_USER_AGENT=.' .env ||
    printf '%s\n' "Now put the name under which sites are asked into .env:" \
        "NEWS_USER_AGENT='name (+https://your.site; you@your.site)'"
