/* The overview: what somebody searches for and which part of the map they look at goes into the address, and the server
   draws the page for it. Nothing is decided here, so an open page is what a fresh one at its address would be. */
(() => {
  const find = id => document.getElementById(id);
  const go = (address, within) => {
    history.replaceState(null, '', address);
    clearTimeout(go.timer);
    go.timer = setTimeout(() => document.dispatchEvent(new Event('renew')), within);
  };
  const here = () => new URL(location);

  /* Search. */
  document.addEventListener('input', ({ target }) => {
    if (target.id !== 'q') return;
    const address = here(), words = target.value.trim();
    if (words) address.searchParams.set('q', words); else address.searchParams.delete('q');
    address.searchParams.delete('bbox');
    go(address, 200);
  });

  /* The map. */
  const width = 480;
  let moved = false, home, fingers = new Map(), view, from, wheel;
  const map = () => find('mapview');
  const whole = svg => [0, 0, width, +svg.getAttribute('height')];
  const shown = box => map().setAttribute('viewBox', box.map(n => +n.toFixed(2)).join(' '));
  /* What is drawn under the fingers goes to the server as a part of the world. */
  const settle = () => {
    const svg = map(), [, , w, h] = whole(svg), [west, south, east, north] = svg.dataset.bbox.split(',').map(Number);
    const x = part => west + (east - west) * part / w, y = part => north - (north - south) * part / h;
    const address = here();
    const box = [x(view[0]), y(view[1] + view[3]), x(view[0] + view[2]), y(view[1])];
    address.searchParams.set('bbox', box.map(n => n.toFixed(4)).join(','));
    go(address, 0);
  };
  const spot = ({ clientX, clientY }) => {
    const box = map().getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  };
  const zoomed = ([x, y, w, h], [px, py], factor) => [x + w * px * (1 - factor), y + h * py * (1 - factor), w * factor, h * factor];

  const click = event => {
    const link = event.target.closest && event.target.closest('a');
    if (moved && map().contains(event.target)) {
      moved = false;
      return event.preventDefault();
    }
    if (!link || !('go' in link.dataset) || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    home = true;
    /* That of a link in a drawing is no text. */
    go(link.getAttribute('href'), 0);
  };
  document.addEventListener('click', click, true);
  document.addEventListener('dragstart', event => { if (map() && map().contains(event.target)) event.preventDefault(); });
  document.addEventListener('keydown', event => {
    const box = find('mapbox');
    if (!box || !box.contains(document.activeElement) || event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { '+': 'in', '=': 'in', '-': 'out', 0: 'all', ArrowLeft: 'west', ArrowRight: 'east', ArrowUp: 'north', ArrowDown: 'south' }[event.key];
    const link = way && find('map-' + way);
    if (!link) return;
    event.preventDefault();
    link.click();
  });
  document.addEventListener('wheel', event => {
    if (!event.ctrlKey || !map() || !map().contains(event.target)) return;
    event.preventDefault();
    view = zoomed(view || whole(map()), spot(event), Math.exp(Math.max(-50, Math.min(50, event.deltaY)) / 150));
    shown(view);
    clearTimeout(wheel);
    wheel = setTimeout(() => { settle(); view = undefined; }, 250);
  }, { passive: false });

  const middle = () => {
    const all = [...fingers.values()], n = all.length;
    const [x, y] = all.reduce(([x, y], one) => [x + one[0] / n, y + one[1] / n], [0, 0]);
    return { x, y, far: n > 1 ? Math.hypot(all[0][0] - all[1][0], all[0][1] - all[1][1]) : 0 };
  };
  const hold = () => { from = { ...middle(), view: view || whole(map()) }; };
  document.addEventListener('pointerdown', event => {
    if (event.button || !map() || !map().contains(event.target)) return;
    moved = false;
    fingers.set(event.pointerId, spot(event));
    hold();
  });
  document.addEventListener('pointermove', event => {
    /* One finger moves the page, two the map. */
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, spot(event));
    if (event.pointerType === 'touch' && fingers.size < 2) return;
    const now = middle(), [, , w, h] = from.view;
    if (!moved && Math.hypot(now.x - from.x, now.y - from.y) < 0.01 && Math.abs(now.far - from.far) < 0.02) return;
    moved = true;
    const factor = from.far && now.far ? from.far / now.far : 1;
    const [x, y, ...size] = zoomed(from.view, [from.x, from.y], factor);
    view = [x - (now.x - from.x) * w * factor, y - (now.y - from.y) * h * factor, ...size];
    shown(view);
  });
  const release = event => {
    if (!fingers.delete(event.pointerId)) return;
    if (fingers.size) return hold();
    if (moved && view) settle();
    view = undefined;
    /* A click that follows belongs to the movement, one later does not. */
    setTimeout(() => { moved = false; }, 50);
  };
  document.addEventListener('pointerup', release);
  document.addEventListener('pointercancel', release);

  /* The wall: a clock, and a screen that stays on. */
  let lock;
  const clock = () => {
    const body = document.body.dataset, text = find('clock');
    if (!text) return;
    const now = new Date(clock.base + performance.now() + 60000 * body.offset).toISOString().slice(11, 16);
    text.textContent = document.documentElement.lang === 'id' ? now.replace(':', '.') : now;
  };
  const rebase = () => { clock.base = +document.body.dataset.now - performance.now(); clock(); };
  const awake = async () => {
    if (!find('wall') || document.hidden || lock && !lock.released) return;
    try {
      lock = await navigator.wakeLock.request('screen');
      find('awake').textContent = '';
    } catch {
      find('awake').textContent = find('awake').dataset.asleep;
    }
  };
  const screen = () => {
    const button = find('fullscreen');
    if (!button) return;
    button.hidden = !document.fullscreenEnabled || !!document.fullscreenElement;
    button.onclick = () => document.documentElement.requestFullscreen();
  };
  document.addEventListener('visibilitychange', awake);
  document.addEventListener('fullscreenchange', screen);
  setInterval(clock, 1000);

  document.addEventListener('renewed', () => {
    const q = find('q');
    /* The server has what was typed: it is no longer something of its own. */
    if (q && q.value.trim() === (here().searchParams.get('q') || '')) q.setAttribute('value', q.value.trim());
    if (map()) shown(view || whole(map()));
    /* A symbol that has opened is gone, a way that is at its end too. */
    if (home && document.activeElement === document.body && find('map-in')) find('map-in').focus();
    home = false;
    rebase();
    screen();
  });
  rebase();
  screen();
  awake();
})();
