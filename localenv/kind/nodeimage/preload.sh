# Puts the images of an archive on standard input into the store of the node's containerd, packed as they are: a node unpacks what it runs.
# Runs in a container of the node's image, with a tmpfs on /run, so that what is kept is the store alone.
set -eu
mkdir /run/preload
cat > /run/preload/config.toml <<END
version = 2
root = "/var/lib/containerd"
state = "/run/preload/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "/run/preload/socket"
END
containerd --config /run/preload/config.toml 2> /run/preload/log &
tries=0
until ctr --address /run/preload/socket version > /dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ]; then
        echo "containerd did not come up:" >&2
        tail -n 20 /run/preload/log >&2
        exit 1
    fi
    sleep 0.1
done
ctr --address /run/preload/socket --namespace k8s.io images import --no-unpack --digests -
kill $!
wait $! || true
