#!/bin/sh
# Published results, trained and scored again: prints the table of docs/reproduce.md.
#   tools/reproduce.sh build/elbo [NAME...]       all, or: ruff pythae davidson burda mig
#   QUICK=1 tools/reproduce.sh build/elbo         an epoch of each, which shows that the path works and nothing else
# Runs lie in $OUT (runs/reproduce, QUICK: runs/reproduce-quick). What is finished there is not done again: after Ctrl-C or a crash
# the same command goes on, and ends with the same numbers. Needs MNIST (`elbo data fetch mnist`).
set -eu
elbo=$1
shift
quick=${QUICK:-}
out=${OUT:-runs/reproduce${quick:+-quick}}
mkdir -p "$out"
trap 'echo "stopped; the same command goes on" >&2; exit 130' INT TERM

# ---- training and scoring, once ----

# train RUN RECIPE.yaml ARGUMENTS...: leaves RUN and, beside it, RUN.seconds, the time of all its sessions together.
train() {
    run=$1 recipe=$2
    shift 2
    [ -f "$run.trained" ] && return
    if [ -n "$quick" ]; then set -- "$@" -e 1; fi
    echo "elbo train $recipe -o $run $*" >&2
    begun=$(date +%s)
    status=0
    if [ -f "$run/recipe.yaml" ]; then
        "$elbo" train --resume "$run" -q >"$run.txt" || status=$?
    else
        "$elbo" train "$recipe" -o "$run" -q "$@" >"$run.txt" || status=$?
    fi
    spent=$(($(date +%s) - begun + $(cat "$run.seconds" 2>/dev/null || echo 0)))
    echo "$spent" >"$run.seconds"
    [ $status = 0 ] || exit $status
    : >"$run.trained"
}

# once FILE COMMAND...: the command's output in FILE, whole or not at all.
once() {
    file=$1
    shift
    [ -f "$file" ] && return
    echo "$*" >&2
    "$@" >"$file.part"
    mv "$file.part" "$file"
}

# number KEY FILE: of a line of JSON.
number() { sed -n "s/.*\"$1\": \\(-\\{0,1\\}[0-9.e-]*\\).*/\\1/p" "$2"; }

# log_p RUN SAMPLES
log_p() {
    [ -z "$quick" ] || set -- "$1" 5
    once "$1.eval" "$elbo" eval "$1" --brief -k "$2" --json
    number log_likelihood "$1.eval"
}

minutes() { awk -v s="$(cat "$@" | awk '{ n += $1 } END { print n + 0 }')" 'BEGIN { printf "%.1f min", s / 60 }'; }

# row COMMAND TIME PUBLISHED MEASURED SEEDS
row() { printf '| %s | %s | %s | %s | %s |\n' "$@" | tee -a "$out/table.part"; }

# mean NUMBERS...: "-89.78 ± 0.01", the standard deviation over seeds.
mean() {
    echo "$@" | awk '{ for (i = 1; i <= NF; i++) { s += $i; q += $i * $i } m = s / NF
        printf "%.2f", m; if (NF > 1) printf " ± %.2f", sqrt((q - s * s / NF) / (NF - 1)) }'
}

seeds() { if [ -n "$quick" ]; then echo 0; else seq 0 $(($1 - 1)); fi; }

# ---- Ruff et al. 2018, "Deep one-class classification": AUROC of a convolutional autoencoder trained on one digit ----

# The encoder of their LeNet; the paper's 250 epochs at 1e-4 and 100 at 1e-5, batches of 200. Their batch norm has no weights.
ruff() {
    cat >"$out/ruff.yaml" <<'YAML'
about: Ruff et al. 2018, the deep convolutional autoencoder on MNIST
kind: ae
data: mnist
latent: 32
image: {normalize: gcn}
encoder: [conv2d 8 kernel=5 padding=2 bias=false, batch_norm2d eps=1e-4, leaky_relu, max_pool2d kernel=2,
  conv2d 4 kernel=5 padding=2 bias=false, batch_norm2d eps=1e-4, leaky_relu, max_pool2d kernel=2, flatten]
decoder: [unflatten 2 4 4, leaky_relu, upsample 2, conv_transpose2d 4 kernel=5 padding=2 bias=false, batch_norm2d eps=1e-4,
  leaky_relu, upsample 2, conv_transpose2d 8 kernel=5 padding=3 bias=false, batch_norm2d eps=1e-4, leaky_relu, upsample 2,
  conv_transpose2d 1 kernel=5 padding=2 bias=false, sigmoid]
loss: {reconstruction: mse}
train: {epochs: 350, batch: 200, optimizer: adam, lr: 1e-4, weight_decay: 1e-6, schedule: step, step_size: 250, gamma: 0.1}
YAML
    sum='' times=''
    for digit in 0 1 2 3 4 5 6 7 8 9; do
        published=$(echo 97.6 98.3 85.4 86.7 86.5 78.2 94.6 92.3 86.5 90.4 | cut -d ' ' -f $((digit + 1)))
        each=''
        for seed in $(seeds 1); do
            run=$out/ruff-$digit-$seed
            train "$run" "$out/ruff.yaml" --set "classes=$digit" -s "$seed"
            once "$run.outliers" "$elbo" outliers "$run" --anomaly "class:$digit" -o "$run.csv"
            # the digit itself as the anomaly: the others are more unusual in 1 - AUROC
            each="$each $(sed -n 's/.*by reconstr.*AUROC \([0-9.]*\).*/\1/p' "$run.outliers" | awk '{ print 100 * (1 - $1) }')"
            times="$times $run.seconds"
        done
        sum="$sum $(mean $each | cut -d ' ' -f 1)"
        row "\`reproduce.sh ruff\`, digit $digit" "$(minutes "$run.seconds")" "$published" "$(mean $each)" "$(echo $each | wc -w)"
    done
    row "\`reproduce.sh ruff\`, mean of ten digits" "$(minutes $times)" 89.65 "$(mean $sum | cut -d ' ' -f 1)" "$(echo $each | wc -w)"
}

# ---- Pythae (Chadebec et al. 2022): log p(x) of a VAE on binary MNIST ----

pythae() {
    cat >"$out/pythae.yaml" <<'YAML'
about: Pythae's VAE 784-400-40 on MNIST, binarised once
kind: vae
data: mnist
latent: 40
image: {binary: fixed}
encoder: [flatten, linear 400, relu]
decoder: [linear 400, relu, linear 784, sigmoid]
loss: {reconstruction: bce, kl: 1}
train: {epochs: 500, batch: 100, optimizer: adam, lr: 1e-4}
YAML
    each='' times=''
    for seed in $(seeds 2); do
        run=$out/pythae-$seed
        train "$run" "$out/pythae.yaml" -s "$seed"
        each="$each $(log_p "$run" 200)"
        times="$times $run.seconds"
    done
    row '`reproduce.sh pythae`, log p(x) by 200 samples' "$(minutes $times)" '-89.78 ± 0.01' "$(mean $each)" "$(echo $each | wc -w)"
}

# ---- Davidson et al. 2018, "Hyperspherical variational auto-encoders", table 1: the normal VAE at d dimensions ----

davidson() {
    for d in 2 10 20; do
        published=$(echo '-135.73 ± 0.83,-93.84 ± 0.30,-88.90 ± 0.26' | cut -d , -f $((d / 10 + 1)))
        cat >"$out/davidson-$d.yaml" <<YAML
about: Davidson et al. 2018, the normal VAE of $d dimensions on MNIST, binarised anew in each epoch
kind: vae
data: mnist
latent: $d
image: {binary: dynamic}
encoder: [flatten, linear 256, relu, linear 128, relu]
decoder: [linear 128, relu, linear 256, relu, linear 784, sigmoid]
loss: {reconstruction: bce, kl: {weight: 1, warmup: 100}}
train: {epochs: 500, batch: 64, optimizer: adam, lr: 1e-3, validation: 0.1667, keep: best, patience: 50}
YAML
        [ -z "$quick" ] || sed -i 's/warmup: 100/warmup: 0/' "$out/davidson-$d.yaml"
        each='' times=''
        for seed in $(seeds 3); do
            run=$out/davidson-$d-$seed
            train "$run" "$out/davidson-$d.yaml" -s "$seed"
            each="$each $(log_p "$run" 500)"
            times="$times $run.seconds"
        done
        row "\`reproduce.sh davidson\`, d = $d, log p(x) by 500 samples" "$(minutes $times)" "$published" "$(mean $each)" "$(echo $each | wc -w)"
    done
}

# ---- Burda, Grosse and Salakhutdinov 2015, "Importance weighted autoencoders": one stochastic layer, k = 1 and k = 5 ----

# Their learning rate falls from 1e-3 to 1e-4 in eight steps over 3,280 epochs; here along a cosine.
burda() {
    for k in 1 5; do
        epochs=3280 published='-86.76; a rerun -87.75' note=''
        [ $k = 1 ] || { epochs=1093 published='-85.54; a rerun -85.50' note=', stopped at 1,093 of 3,280 epochs'; }
        cat >"$out/burda-$k.yaml" <<YAML
about: Burda et al. 2015, 784-200-200-50 on MNIST, binarised anew in each epoch, k = $k
kind: vae
data: mnist
latent: 50
image: {binary: dynamic}
encoder: [flatten, linear 200, tanh, linear 200, tanh]
decoder: [linear 200, tanh, linear 200, tanh, linear 784, sigmoid]
loss: {reconstruction: bce, samples: $k, bound: iwae, kl: 1}
train: {epochs: $epochs, batch: 20, optimizer: adam, lr: 1e-3, eps: 1e-4, schedule: cosine, eta_min: 1e-4}
YAML
        run=$out/burda-$k
        train "$run" "$out/burda-$k.yaml"
        row "\`reproduce.sh burda\`, k = $k$note, log p(x) by 5,000 samples" "$(minutes "$run.seconds")" "$published" \
            "$(mean "$(log_p "$run" 5000)")" 1
    done
}

# ---- Chen et al. 2018, "Isolating sources of disentanglement": beta-TC-VAE above beta-VAE by MIG on dSprites ----

mig() {
    times='' means='' all=''
    for model in beta tc; do
        [ $model = beta ] && loss=loss.kl=6 || loss='loss.kl={weight: 1, mi: 1, tc: 6}'
        each=''
        for seed in $(seeds 5); do
            run=$out/mig-$model-$seed
            train "$run" dsprites-beta-vae --set "$loss" -s "$seed"
            once "$run.eval" "$elbo" eval "$run" --brief --json
            each="$each $(number mig "$run.eval")"
            times="$times $run.seconds"
        done
        means="$means $(mean $each)," all=$each
    done
    row '`reproduce.sh mig`, MIG of beta-VAE, then beta-TC-VAE' "$(minutes $times)" 'beta-TC-VAE above' "${means%,}" "$(echo $all | wc -w)"
}

# ---- all of them ----

[ $# -gt 0 ] || set -- ruff pythae davidson burda mig
{
    echo '| command | time | published | measured | seeds |'
    echo '|---|---|---|---|---|'
} | tee "$out/table.part"
for name; do
    case $name in
    ruff | pythae | davidson | burda | mig) $name ;;
    *) echo "$name: expected ruff, pythae, davidson, burda or mig" >&2 && exit 2 ;;
    esac
done
[ -z "$quick" ] || echo 'One epoch of each: the path works, the numbers mean nothing.' | tee -a "$out/table.part"
mv "$out/table.part" "$out/table.md"
