// sessionStorage, or this page's memory where the browser denies it: then a reload forgets, and all else works.
const memory = new Map();

function storage() {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

export function load(key) {
  return JSON.parse(storage()?.getItem(key) ?? memory.get(key) ?? "null");
}

export function store(key, value) {
  const text = JSON.stringify(value);
  try {
    window.sessionStorage.setItem(key, text);
  } catch {
    memory.set(key, text);
  }
}

export function remove(key) {
  memory.delete(key);
  storage()?.removeItem(key);
}
