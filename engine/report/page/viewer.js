"use strict";
(function () {
  const data = JSON.parse(document.getElementById("viewer-data").textContent);
  const byId = (id) => document.getElementById(id);
  const root = byId("viewer");
  if (!data.networks.length || !data.networks[0].samples.length) return;
  root.hidden = false;

  const START = { yaw: 0.5, tilt: 0.2 };
  const COLOURS = { left: "#2b6cb0", right: "#dd6b20", middle: "#2d3748" };
  const state = { network: 0, sample: 0, step: 0, base: "synthesised", truth: false, ...START };
  const sample = () => data.networks[state.network].samples[state.sample];

  /* Choices of network and sample. */
  function choices(box, labels, chosen, pick, pictures) {
    box.replaceChildren(...labels.map((label, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(number === chosen));
      if (pictures && pictures[number]) {
        const picture = document.createElement("img");
        picture.src = pictures[number];
        picture.alt = "";
        button.append(picture);
      }
      button.append(label);
      button.addEventListener("click", () => pick(number));
      return button;
    }));
  }

  function choose(network, number) {
    stop();
    Object.assign(state, { network, sample: number });
    state.step = sample().steps.length - 1;
    const samples = data.networks[network].samples;
    choices(byId("viewer-networks"), data.networks.map((one) => one.title), network, (n) => choose(n, 0));
    choices(byId("viewer-samples"), samples.map((one) => one.title), number, (n) => choose(network, n),
      samples.map((one) => one.original));
    const slider = byId("step");
    slider.max = String(sample().steps.length - 1);
    show();
  }

  function show() {
    const one = sample();
    byId("step").value = String(state.step);
    byId("reading").textContent = `iteration ${one.steps[state.step]}: ${one.errors[state.step].toFixed(0)} mm`;
    if (one.frames && byId("compare")) {
      byId("compare-before").src = state.base === "original" ? one.original : one.frames[0];
      byId("compare-after").src = one.frames[state.step];
    }
    drawTrace();
    drawSkeleton();
  }

  /* Before and after. */
  const cut = byId("compare-cut");
  if (cut) {
    cut.addEventListener("input", () => byId("compare").style.setProperty("--cut", `${cut.value}%`));
    document.querySelectorAll("input[name=base]").forEach((radio) =>
      radio.addEventListener("change", () => { state.base = radio.value; show(); }));
  }

  /* Iterations. */
  let timer = null;
  function stop() {
    if (timer !== null) clearInterval(timer);
    timer = null;
    byId("play").textContent = "▶";
  }
  byId("play").addEventListener("click", () => {
    if (timer !== null) { stop(); return; }
    const last = sample().steps.length - 1;
    if (state.step >= last) state.step = 0;
    byId("play").textContent = "❚❚";
    show();
    timer = setInterval(() => {
      if (state.step >= last) { stop(); return; }
      state.step += 1;
      show();
    }, 420);
  });
  byId("step").addEventListener("input", (event) => { stop(); state.step = Number(event.target.value); show(); });

  function drawTrace() {
    const one = sample();
    const trace = byId("trace");
    const right = Math.max(trace.clientWidth, 240) - 10;
    const most = Math.max(data.threshold * 1.15, ...one.trace);
    const length = Math.max(one.trace.length - 1, 1);
    const x = (step) => 12 + (step / length) * (right - 12);
    const y = (error) => 98 - (error / most) * 88;
    const points = one.trace.map((error, step) => `${x(step).toFixed(1)},${y(error).toFixed(1)}`).join(" ");
    const limit = y(data.threshold);
    trace.setAttribute("viewBox", `0 0 ${right + 10} 120`);
    trace.innerHTML =
      `<line x1="12" x2="${right}" y1="98" y2="98" stroke="currentColor" opacity=".35"/>` +
      `<line x1="12" x2="${right}" y1="${limit}" y2="${limit}" style="stroke: var(--warm)" stroke-dasharray="5 4"/>` +
      `<text x="12" y="${limit - 5}" font-size="12" style="fill: var(--warm)">threshold, ${data.threshold} mm</text>` +
      `<text x="12" y="114" font-size="12" fill="currentColor">0</text>` +
      `<text x="${right}" y="114" text-anchor="end" font-size="12" fill="currentColor">iteration ${one.trace.length - 1}</text>` +
      `<polyline points="${points}" fill="none" style="stroke: var(--accent)" stroke-width="2"/>` +
      `<circle cx="${x(one.steps[state.step])}" cy="${y(one.errors[state.step])}" r="5" style="fill: var(--accent)" stroke="#fff" stroke-width="1.5"/>`;
  }
  window.addEventListener("resize", drawTrace);

  /* The skeleton turns. Camera axes: x right, y down, z forward, in mm. */
  const canvas = byId("skeleton");
  const pen = canvas.getContext("2d");
  const HALF = 950;

  function project(point) {
    const [x, y, z] = point;
    const right = x * Math.cos(state.yaw) + z * Math.sin(state.yaw);
    const away = z * Math.cos(state.yaw) - x * Math.sin(state.yaw);
    const up = -y * Math.cos(state.tilt) + away * Math.sin(state.tilt);
    const size = canvas.width;
    return [size / 2 + (right / HALF) * size / 2, size * 0.47 - (up / HALF) * size / 2];
  }

  function line(from, to, colour, width) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(...project(from));
    pen.lineTo(...project(to));
    pen.stroke();
  }

  function side(joint) {
    return data.left.includes(joint) ? "left" : data.right.includes(joint) ? "right" : "middle";
  }

  function bones(pose, colour, width) {
    data.parents.forEach((parent, joint) => {
      if (parent >= 0) line(pose[parent], pose[joint], colour || COLOURS[side(joint)], width);
    });
  }

  function drawSkeleton() {
    const one = sample();
    const unit = canvas.width / 512;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.lineCap = "round";
    const floor = Math.max(...one.before.map((point) => point[1]));
    for (let place = -600; place <= 600; place += 300) {
      line([-600, floor, place], [600, floor, place], "#e6e9ee", 1 * unit);
      line([place, floor, -600], [place, floor, 600], "#e6e9ee", 1 * unit);
    }
    bones(one.before, "#c3c9d2", 6 * unit);
    if (state.truth && one.truth) bones(one.truth, "#009e73", 3 * unit);
    const pose = one.poses[state.step];
    bones(pose, null, 5 * unit);
    pen.fillStyle = COLOURS.middle;
    pose.forEach((point) => {
      pen.beginPath();
      pen.arc(...project(point), 4 * unit, 0, 2 * Math.PI);
      pen.fill();
    });
    canvas.dataset.yaw = state.yaw.toFixed(3);
    canvas.dataset.tilt = state.tilt.toFixed(3);
  }

  function turn(yaw, tilt) {
    state.yaw += yaw;
    state.tilt = Math.max(-1.5, Math.min(1.5, state.tilt + tilt));
    drawSkeleton();
  }
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    held = [event.clientX, event.clientY];
    try { canvas.setPointerCapture(event.pointerId); } catch (error) { /* a pointer that is not there any more */ }
  });
  canvas.addEventListener("pointermove", (event) => {
    if (held === null) return;
    turn((held[0] - event.clientX) * 0.01, (event.clientY - held[1]) * 0.01);
    held = [event.clientX, event.clientY];
  });
  ["pointerup", "pointercancel"].forEach((name) => canvas.addEventListener(name, () => { held = null; }));
  canvas.addEventListener("dblclick", () => { Object.assign(state, START); drawSkeleton(); });
  canvas.addEventListener("keydown", (event) => {
    const turns = { ArrowLeft: [0.15, 0], ArrowRight: [-0.15, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };
    if (!(event.key in turns)) return;
    event.preventDefault();
    turn(...turns[event.key]);
  });
  byId("skeleton-truth").addEventListener("change", (event) => { state.truth = event.target.checked; drawSkeleton(); });

  choose(0, 0);
})();
