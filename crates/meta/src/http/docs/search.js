// The search of /docs. Every word must be there; what has them in its name or summary goes before
// what only mentions them. Without this file the page is whole, only longer.
'use strict';

const form = document.getElementById('search');
const input = form.querySelector('input');
const told = form.querySelector('[role=status]');
const links = new Map(
  [...document.querySelectorAll('nav li a')].map((link) => [link.hash.slice(1), link]),
);
const plain = (text) => text.toLowerCase().replace(/\s+/g, ' ');
const items = [...document.querySelectorAll('main article, #problems-table tbody tr')].map((shown) => {
  const name = shown.querySelectorAll('h3, .summary');
  const head = name.length > 0 ? [...name].map((part) => part.textContent).join(' ') : shown.textContent;
  return { shown, head: plain(`${shown.id} ${head}`), text: plain(shown.textContent) };
});
const groups = [...document.querySelectorAll('main > section, nav > details')].map((group) => ({
  group,
  members: [...items.map((item) => item.shown), ...group.querySelectorAll('nav li')].filter((shown) =>
    group.contains(shown),
  ),
}));
let found = items;

function search() {
  const words = plain(input.value).trim().split(' ').filter((word) => word !== '');
  const named = items.filter((item) => words.every((word) => item.head.includes(word)));
  const mentioned = () => items.filter((item) => words.every((word) => item.text.includes(word)));
  found = named.length > 0 ? named : mentioned();
  const all = new Set(found);
  for (const item of items) {
    item.shown.hidden = !all.has(item);
    const link = links.get(item.shown.id);
    if (link) link.parentElement.hidden = item.shown.hidden;
  }
  for (const { group, members } of groups) {
    group.hidden = members.every((member) => member.hidden);
  }
  document.body.classList.toggle('searching', words.length > 0);
  if (words.length === 0) told.textContent = '';
  else told.textContent = found.length === 0 ? 'Nothing found' : `${found.length} found`;
  const address = new URL(location.href);
  if (words.length > 0) address.searchParams.set('q', input.value.trim());
  else address.searchParams.delete('q');
  history.replaceState(null, '', address);
}

function clear() {
  input.value = '';
  search();
}

// The keyboard goes through what is found: an item is as good a place as any other.
function go(step) {
  const now = found.findIndex((item) => item.shown === document.activeElement);
  const next = now + step;
  if (next < 0) {
    input.focus();
    return;
  }
  const item = found[Math.min(next, found.length - 1)];
  if (!item) return;
  item.shown.tabIndex = -1;
  item.shown.focus({ preventScroll: true });
  item.shown.scrollIntoView({ block: 'start' });
}

input.addEventListener('input', search);
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (input.value.trim() !== '') go(1);
});
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = document.activeElement === input;
  const inside = typing || found.some((item) => item.shown === document.activeElement);
  if (event.key === '/' && !typing) {
    input.focus();
    input.select();
  } else if (event.key === 'Escape' && inside) {
    clear();
    input.focus();
  } else if (event.key === 'ArrowDown' && inside && input.value.trim() !== '') {
    go(1);
  } else if (event.key === 'ArrowUp' && inside && !typing) {
    go(-1);
  } else {
    return;
  }
  event.preventDefault();
});
// A link to what is not shown now shows it.
document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href^="#"]');
  const target = link && document.getElementById(link.hash.slice(1));
  if (target && target.closest('[hidden]')) clear();
});

form.hidden = false;
input.value = new URL(location.href).searchParams.get('q') ?? '';
search();
