/* How an open page stays current: src/live.rs. The server draws, this puts in place what changed. All words come from
   the page. */
(() => {
  /* The line to the server. */
  const line = (address, tell) => {
    let source, heard;
    const open = () => {
      heard = performance.now();
      source = new EventSource(address);
      for (const kind of ['hello', 'states', 'values', 'ping']) {
        source.addEventListener(kind, ({ data }) => {
          heard = performance.now();
          tell(kind, data);
        });
      }
      source.onerror = () => tell('lost');
    };
    const close = () => {
      if (source) source.close();
      source = undefined;
    };
    /* Having given up, a source does not come back. */
    const keep = () => {
      if (source && performance.now() - heard > (source.readyState === 2 ? 3000 : 15000)) close();
      if (!source) open();
    };
    return { keep, close };
  };

  /* As a shared worker it holds one line for all tabs, while one of them is seen. */
  if (typeof document === 'undefined') {
    const ports = new Map();
    let shared;
    onconnect = ({ ports: [port] }) => {
      port.onmessage = ({ data }) => {
        if (!data) return ports.delete(port);
        /* It has not heard what the others have. */
        if (shared && !ports.has(port)) port.postMessage(['hello']);
        ports.set(port, performance.now());
        shared = shared || line(data, (...told) => ports.forEach((_, each) => each.postMessage(told)));
        shared.keep();
      };
    };
    setInterval(() => {
      for (const [port, seen] of ports) if (performance.now() - seen > 15000) ports.delete(port);
      if (shared && !ports.size) shared.close();
    }, 1000);
    return;
  }

  const data = document.body.dataset, script = document.currentScript.src;
  if (!data.live) return;
  const all = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const words = JSON.parse(data.words), banner = document.getElementById('disconnected');
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  let base = +data.now - performance.now(), heard = performance.now(), drawn = heard;
  let behind = false, busy = false, whole = false, wanted = Infinity, timer, ticks = 0;
  const now = () => base + performance.now();
  /* Nobody sees the page, and nobody has asked it to sound: alarm.js. */
  const away = () => {
    try { return document.hidden && !localStorage.getItem('bakau-alarm'); } catch { return document.hidden; }
  };

  const age = ms => {
    if (ms < -60000) return words.future;
    const s = Math.floor(ms / 1000);
    if (s < 1) return words.now;
    const [unit, n] = s < 60 ? ['second', s] : s < 3600 ? ['minute', s / 60 | 0]
      : s < 172800 ? ['hour', s / 3600 | 0] : ['day', s / 86400 | 0];
    return fill(words[unit + (n === 1 ? '_one' : '_many')], { n });
  };
  const ages = root => {
    for (const time of all('[data-at]', root)) if (+time.dataset.at) put(time, age(now() - time.dataset.at));
  };
  const clock = ms => new Date(ms + 60000 * data.offset).toISOString().slice(11, 16)
    .replace(':', document.documentElement.lang === 'id' ? '.' : ':') + ' ' + data.zone;
  const connection = () => {
    const lost = behind || performance.now() - heard > 12500;
    if (lost && banner.hidden) put(banner, fill(words.lost, { time: clock(+data.now) }));
    banner.hidden = !lost;
  };

  const soon = within => {
    const at = performance.now() + within;
    if (at >= wanted) return;
    wanted = at;
    clearTimeout(timer);
    timer = setTimeout(renew, within);
  };
  const later = (within, gap) => soon(Math.max(within, drawn + gap - performance.now()));
  /* Something on the page changes by time alone. */
  const due = () => { if (+data.due) later(Math.min(+data.due - now() + 300 * Math.random(), 3600000), 1000); };

  const levels = () => new Map(all('[data-station][data-name]').map(({ dataset }) => [dataset.station, dataset.level]));
  const build = root => all('head :is(script,[rel=stylesheet])', root).map(each => each.outerHTML).join();
  const callbacks = {
    /* What is held is still right; what the script says is its own. */
    beforeNodeMorphed: (old, fresh) => !(fresh.dataset && ('same' in fresh.dataset || 'own' in fresh.dataset)),
    /* What somebody has opened, chosen or typed stays. */
    beforeAttributeUpdated: (name, element) => !(name === 'open' && element.matches('details') || name === 'selected'
      || name === 'checked' || name === 'value' && 'defaultValue' in element && element.value !== element.defaultValue),
  };
  /* Puts a fresh page in place of the one shown. */
  const adopt = fresh => {
    const from = fresh.body.dataset;
    /* Of another version: only the browser can put that in place. */
    if (!from.live || build(fresh) !== build()) return location.reload();
    const before = levels();
    base = +from.now - performance.now();
    ages(fresh);
    document.title = fresh.title;
    const [icon, colour] = [document, fresh].map(root => all('head [rel=icon]', root)[0]);
    if (icon.outerHTML !== colour.outerHTML) icon.replaceWith(colour);
    /* Of what has the focus it leaves out all that is inside, so only where something is typed or chosen. */
    const ignoreActiveValue = document.activeElement.matches('input,textarea,select');
    Idiomorph.morph(document.body, fresh.body, { ignoreActiveValue, callbacks });
    whole = !!document.querySelector('[data-same]');
    if (whole) soon(0);
    for (const { dataset } of all('[data-station][data-name]')) {
      if (before.has(dataset.station) && before.get(dataset.station) !== dataset.level) {
        put(document.getElementById('news'), fill(words.news, { station: dataset.name, level: words[dataset.level] }));
      }
    }
    document.dispatchEvent(new Event('renewed'));
  };
  const renew = async () => {
    wanted = Infinity;
    if (away()) return;
    if (busy) return soon(200);
    busy = true;
    try {
      const address = new URL(location);
      address.searchParams.set('lang', document.documentElement.lang);
      const answer = await fetch(address, {
        cache: 'no-store', signal: AbortSignal.timeout(20000),
        headers: { 'bakau-held': whole ? '-' : all('[data-v]').map(each => each.dataset.v).join('') },
      });
      if (!answer.ok) throw answer.status;
      adopt(new DOMParser().parseFromString(await answer.text(), 'text/html'));
      behind = false;
      due();
    } catch (error) {
      console.error(error);
      behind = true;
      soon(4000 + 4000 * Math.random());
    }
    drawn = performance.now();
    busy = false;
    connection();
  };

  const mine = stations => stations === '*' || !data.about || stations.split(' ').includes(data.about);
  const told = (kind, what) => {
    if (kind === 'lost') behind = true;
    else heard = performance.now();
    if (kind === 'ping') base = what - performance.now();
    /* Not all pages at once: after a restart they all hear it in the same moment. */
    if (kind === 'hello' && (behind || what !== data.after)) soon(1000 * Math.random());
    if (kind === 'states' && mine(what)) later(300 * Math.random(), 1000);
    if (kind === 'values' && mine(what)) later(100, +data.gap);
    connection();
  };
  let port, alone;
  if (globalThis.SharedWorker) {
    port = new SharedWorker(script).port;
    port.onmessage = ({ data: [kind, what] }) => told(kind, what);
  } else {
    alone = line(data.live, told);
  }
  const listen = () => port ? port.postMessage(data.live) : alone.keep();
  const leave = () => {
    clearTimeout(timer);
    wanted = Infinity;
    if (port) port.postMessage(''); else alone.close();
  };
  const seen = () => {
    if (away()) return leave();
    heard = performance.now();
    listen();
  };
  /* The address of the page is another: somebody searches, or looks at another part of the map. */
  document.addEventListener('renew', () => soon(0));
  document.addEventListener('visibilitychange', seen);
  addEventListener('pagehide', leave);
  addEventListener('pageshow', event => { if (event.persisted) seen(); });

  ages();
  seen();
  due();
  setInterval(() => {
    if (away()) return;
    listen();
    /* Hundreds of ages need not go by the second. */
    if (ticks++ % (all('[data-at]').length > 60 ? 5 : 1) === 0) ages();
    connection();
  }, 1000);
})();
