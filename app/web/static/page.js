// What every page needs: the token of the session with each request, and forms that ask before they destroy.
"use strict";
(() => {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  document.addEventListener("htmx:configRequest", (event) => {
    if (token) event.detail.headers["X-CSRF-Token"] = token;
  });

  // Requests of our own scripts that change something.
  window.dutyring = {
    send: (address, options = {}) =>
      fetch(address, { ...options, headers: { ...(options.headers || {}), "X-CSRF-Token": token } }),
  };

  // <form data-confirm="..."> names what it destroys, and asks.
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });
})();
