#!/bin/sh
# Before the first `docker compose up`: make secrets, folders and .env. What is there stays.
set -eu
cd "$(dirname "$0")/.."
uid=${NEWSDESK_UID:-$(id -u)} gid=${NEWSDESK_GID:-$(id -g)}
[ "$uid" != 0 ] || uid=1000 gid=1000 # the containers do not run as root

mkdir -p corpus state/archive state/airflow/tmp state/redis state/s3 state/secrets
umask 077
chmod 700 state/secrets state/airflow state/redis state/s3

# secret NAME BYTES: so many random bytes, in base64 that is safe in URLs
secret() {
    [ -s "state/secrets/$1" ] ||
        head -c "$2" /dev/urandom | base64 -w 0 | tr '+/' '-_' >"state/secrets/$1"
}
secret postgres_password 24
secret redis_password 24
secret admin_password 12
secret flower_password 12
secret s3_secret_key 24
secret fernet_key 32
secret jwt_secret 64
secret api_secret_key 64
[ -e state/secrets/guardian_key ] || : >state/secrets/guardian_key # yours, if you have one

# repeat NAME TEXT OF: the text with a secret in the place of %s, as a program wants to read it;
# written anew each time, so that only the secret has to be changed
repeat() {
    printf "$2" "$(cat "state/secrets/$3")" >"state/secrets/$1"
}
repeat pgpass 'postgres:*:*:newsdesk:%s' postgres_password
repeat redis_conf 'requirepass %s' redis_password
repeat broker_url 'redis://:%s@redis:6379/0' redis_password
repeat flower_auth 'newsdesk:%s' flower_password
# keys and endpoint of the object store: at first those of the service s3
[ -s state/secrets/aws ] ||
    repeat aws '[default]\naws_access_key_id = newsdesk\naws_secret_access_key = %s
region = us-east-1\nendpoint_url = http://s3:8333\n' s3_secret_key

[ -e .env ] || printf 'NEWSDESK_UID=%s\nNEWSDESK_GID=%s\n' "$uid" "$gid" >.env
[ "$(id -u)" != 0 ] || chown -R "$uid:$gid" corpus state

grep -q '^NEWS_USER_AGENT=.' .env ||
    printf '%s\n' "Now put the name under which sites are asked into .env:" \
        "NEWS_USER_AGENT='name (+https://your.site; you@your.site)'"
