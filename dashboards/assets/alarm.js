/* Sound and notification on wish: a new alert at siaga or above that nobody has acknowledged. The server says in
   `data-alarms` which there are; this compares before and after a renewal. */
(() => {
  const key = 'bakau-alarm', line = document.getElementById('alarm'), body = document.body.dataset;
  if (!line || !globalThis.Notification || !globalThis.AudioContext) return;
  const box = line.querySelector('input');
  const ids = () => (body.alarms || '').split(' ').filter(Boolean);
  let known = new Set(ids()), audio;
  const stored = () => { try { return localStorage.getItem(key) === '1'; } catch { return false; } };
  const remember = on => { try { localStorage.setItem(key, on ? '1' : ''); } catch { /* For this page only. */ } };

  const tone = async () => {
    audio = audio || new AudioContext();
    await audio.resume();
    for (const [at, pitch] of [[0, 660], [0.25, 880], [0.5, 660]]) {
      const source = audio.createOscillator(), gain = audio.createGain(), begin = audio.currentTime + at;
      source.frequency.value = pitch;
      gain.gain.setValueAtTime(0.2, begin);
      gain.gain.exponentialRampToValueAtTime(0.001, begin + 0.2);
      source.connect(gain).connect(audio.destination);
      source.start(begin);
      source.stop(begin + 0.2);
    }
  };
  const notify = () => {
    if (Notification.permission !== 'granted') return;
    /* One for all tabs: the same tag. */
    const told = new Notification(document.title, { tag: key, renotify: true, icon: document.querySelector('[rel=icon]').href });
    told.onclick = () => { window.focus(); told.close(); };
  };

  box.checked = stored();
  line.hidden = false;
  box.addEventListener('change', async () => {
    remember(box.checked);
    if (!box.checked) return;
    /* The tone is what it will sound like, and browsers play it later only because it was asked for now. */
    tone().catch(console.error);
    if (Notification.permission === 'default') await Notification.requestPermission();
  });
  document.addEventListener('renewed', () => {
    const now = ids(), fresh = now.some(id => !known.has(id));
    known = new Set(now);
    if (!fresh || !box.checked) return;
    tone().catch(console.error);
    notify();
  });
})();
